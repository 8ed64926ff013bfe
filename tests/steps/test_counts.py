"""`score --format counts`, and `eval-gap` on what it wrote."""

import json
import shutil

import numpy as np
import pytest
from builders import STEMS

from wsstools.formats import label_files
from wsstools.formats.studies.counts import COLUMNS, read_counts


@pytest.fixture
def study(dataset, tmp_path, wss):
    """gt/, and three/, two/, one/ with that many wrong rows; their counts in three.csv, .."""
    shutil.copytree(dataset / "gt", tmp_path / "gt")
    shutil.copy(dataset / "classes.txt", tmp_path)
    for name, rows in {"full": 2, "base": 20, "good": 5}.items():
        (tmp_path / name).mkdir()
        for stem in STEMS:
            gt = label_files.decode_labels((tmp_path / "gt" / f"{stem}.png").read_bytes(), "").value
            labels = gt.copy()
            labels[:rows] = 1
            (tmp_path / name / f"{stem}.png").write_bytes(label_files.encode_labels(labels, None))
        outcome = wss("score", tmp_path / name, tmp_path / "gt", "--format", "counts")
        assert outcome.code == 0, outcome.err
        (tmp_path / f"{name}.csv").write_text(outcome.out)
    return tmp_path


def gap(wss, study, ending, *more, code=0, gt=True):
    full, base, good = (study / f"{name}{ending}" for name in ("full", "base", "good"))
    outcome = wss(
        *("eval-gap", "--full", full, "--baseline", base, f"good={good}", "--json"),
        *(("--gt", study / "gt") if gt else ()),
        *more,
    )
    assert outcome.code == code, outcome.err
    return json.loads(outcome.out) if code == 0 else outcome.err


def mious(answer):
    return {row["name"]: row["miou"] for row in answer["rows"]}


def without_folders(value):
    """An answer without the names and the records of folders."""
    if isinstance(value, dict):
        return {
            k: without_folders(v)
            for k, v in value.items()
            if k not in ("folder", "first", "digest")
        }
    return [without_folders(one) for one in value] if isinstance(value, list) else value


def test_counts_add_up_to_the_score(wss, study):
    counts = read_counts(str(study / "good.csv"))
    assert list(counts) == sorted(STEMS)
    total = {}
    for classes, pixels in counts.values():
        for class_id, (hit, truth, labels) in zip(classes, pixels.T, strict=True):
            total.setdefault(int(class_id), np.zeros(2))
            total[int(class_id)] += hit, truth + labels - hit
    mean = np.mean([hit / union for hit, union in total.values()])
    outcome = wss("score", study / "good", study / "gt", "--json")
    assert mean == pytest.approx(json.loads(outcome.out)["miou"])


@pytest.mark.parametrize("more", [(), ("--bootstrap", 50)])
def test_a_gap_of_counts_is_that_of_the_labels(wss, study, more):
    expected = gap(wss, study, "", *more)
    assert without_folders(gap(wss, study, ".csv", *more)) == without_folders(expected)


def test_counts_need_no_ground_truth_and_labels_may_stand_beside(wss, study):
    expected = mious(gap(wss, study, ""))
    assert mious(gap(wss, study, ".csv", gt=False)) == expected
    outcome = wss(
        *("eval-gap", "--gt", study / "gt", "--full", study / "full.csv", "--json"),
        *("--baseline", study / "base", f"good={study / 'good.csv'}"),
    )
    assert mious(json.loads(outcome.out)) == expected


def test_ids_choose_images(wss, study):
    (study / "ids.txt").write_text("\n".join(STEMS[:2]))
    chosen = "--ids", study / "ids.txt"
    expected = mious(gap(wss, study, "", *chosen))
    assert mious(gap(wss, study, ".csv", *chosen)) == expected
    (study / "ids.txt").write_text("no-such-image")
    assert "no counts of 1, such as 'no-such-image'" in gap(
        wss, study, ".csv", *chosen, code=1, gt=False
    )


def changed(study, change):
    path = study / "good.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(change(lines)) + "\n")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda lines: [*lines, "other,0,1,1,1"], "holds other images; they differ in 1"),
        (lambda lines: [*lines, lines[-1]], "occurs twice"),
        (lambda lines: [lines[0], f"{STEMS[0]},0,5,4,9"], "more pixels are hit than there are"),
        (lambda lines: [lines[0], f"{STEMS[0]},0,-1,4,9"], "'-1' is no number in 0.."),
        (lambda lines: [lines[0], f"{STEMS[0]},255,1,4,9"], "'255' is no number in 0..254"),
        (lambda lines: ["image,miou", "a,1"], ",".join(COLUMNS)),
        (lambda lines: lines[:1], ",".join(COLUMNS)),
        (lambda lines: [*lines[:-1], _more_truth(lines[-1])], "different ground truth of"),
        (lambda lines: [lines[0], f"{STEMS[0]},,1,1,1"], "pixels without a class"),
        (lambda lines: [lines[0], f"{STEMS[0]},0,1,1,1,1"], "more cells than columns"),
        (lambda lines: [lines[0], f"{STEMS[0]},0,1,4,9"], "more pixels in the labels than in"),
        (lambda lines: [lines[0] + ",hit", *lines[1:]], "the column 'hit' occurs twice"),
        (lambda lines: [*lines, "\0\0"], "not a text file"),
    ],
)
def test_what_does_not_fit_is_one_line(wss, study, change, expected):
    changed(study, change)
    err = gap(wss, study, ".csv", code=1, gt=False)
    assert expected in err
    assert len(err.splitlines()) == 1


def _more_truth(line):
    image, class_id, hit, truth, labels = line.split(",")
    return f"{image},{class_id},{hit},{int(truth) + 1},{labels}"


def test_bands_need_labels_and_labels_need_ground_truth(wss, study):
    assert "--band needs folders of labels" in gap(wss, study, ".csv", "--band", 2, code=2)
    assert "give --gt" in gap(wss, study, "", code=2, gt=False)


def test_an_image_without_ground_truth_keeps_its_place(wss, study):
    empty = study / "gt" / f"{STEMS[0]}.png"
    labels = label_files.decode_labels(empty.read_bytes(), "").value
    empty.write_bytes(label_files.encode_labels(np.full_like(labels, 255), None))
    outcome = wss("score", study / "good", study / "gt", "--format", "counts")
    assert f"{STEMS[0]},,0,0,0" in outcome.out
    (study / "good.csv").write_text(outcome.out)
    assert len(read_counts(str(study / "good.csv"))) == len(STEMS)


def test_a_report_says_that_counts_have_no_pictures(wss, study):
    (study / "gap.json").write_text(json.dumps(gap(wss, study, ".csv", gt=False)))
    outcome = wss("report", study / "gap.json", "-o", study / "report.html")
    assert outcome.code == 0, outcome.err
    assert "good.csv" in (study / "report.html").read_text()
    assert outcome.err.count("holds counts, no pictures") <= 3


def test_shares_and_names_with_endings_are_those_of_folders(wss, study):
    (study / "ids.txt").write_text("".join(f"{stem}.png\n" for stem in STEMS[:3]))
    for more in (("--shard", "1/2"), ("--ids", study / "ids.txt")):
        expected = mious(gap(wss, study, "", *more))
        assert mious(gap(wss, study, ".csv", *more)) == expected
        assert mious(gap(wss, study, ".csv", *more, gt=False)) == expected


def test_a_name_that_looks_like_a_comment_is_counted(wss, study):
    for name in ("gt", "good"):
        (study / name / f"{STEMS[0]}.png").rename(study / name / "#first.png")
    outcome = wss("score", study / "good", study / "gt", "--format", "counts")
    (study / "good.csv").write_text(outcome.out)
    assert "#first" in read_counts(str(study / "good.csv"))


def test_other_endings_and_ground_truth_that_is_not_there(wss, study):
    for name in ("full", "base", "good"):
        (study / f"{name}.counts").write_text((study / f"{name}.csv").read_text())
    assert mious(gap(wss, study, ".counts", gt=False)) == mious(gap(wss, study, ".csv"))
    (study / "gt").rename(study / "away")
    assert "looked for ground truth" in gap(wss, study, ".csv", code=2)
    (study / "away").rename(study / "gt")
    (study / "classes.txt").write_text("only\n")
    assert "expected 0..0" in gap(wss, study, ".csv", code=1)
