"""`eval-gap` on studies: groups, seeds, training images, intervals, bands, printed tables."""

from __future__ import annotations

import csv
import io
import json
import shutil

import numpy as np
import pytest
from builders import STEMS

from wsstools.formats import label_files
from wsstools.formats.studies.scores import read_published

LOST_ROWS = {"full": 2, "baseline": 20, "good": 5, "poor": 15}


def worse(gt, rows, seed):
    """The ground truth with the first class lost in some rows and some pixels drawn anew."""
    rng = np.random.default_rng(seed)
    labels = gt.copy()
    labels[:rows][labels[:rows] == 0] = 1
    return np.where(rng.random(gt.shape) < 0.02 * seed, rng.integers(0, 2, gt.shape), labels)


@pytest.fixture
def study(dataset, tmp_path):
    """A folder with gt/, classes.txt and full/, baseline/, good/, poor/, good2/ on four images."""
    shutil.copytree(dataset / "gt", tmp_path / "gt")
    shutil.copy(dataset / "classes.txt", tmp_path)
    record = {"kind": "labels", "stem": "a", "step": "argmax", "version": "0", "options": {}}
    for name, rows in {**LOST_ROWS, "good2": 7}.items():
        (tmp_path / name).mkdir()
        for seed, stem in enumerate(STEMS):
            gt = label_files.decode_labels((tmp_path / "gt" / f"{stem}.png").read_bytes(), "").value
            data = label_files.encode_labels(
                worse(gt, rows, seed).astype(np.uint8), {**record, "inputs": []}
            )
            (tmp_path / name / f"{stem}.png").write_bytes(data)
    return tmp_path


@pytest.fixture
def gap(wss, study):
    """Run `eval-gap` on it; JSON answers are parsed."""

    def call(*more, names=("good", "poor")):
        outcome = wss(
            *("eval-gap", "--gt", study / "gt", "--jobs", 1),
            *("--full", study / "full", "--baseline", study / "baseline"),
            *(f"{name}={study / name}" for name in names),
            *more,
        )
        assert outcome.code == 0, outcome.err
        return json.loads(outcome.out) if "--json" in more else outcome.out

    return call


def by_name(answer):
    return {(row["group"], row["name"]): row for row in answer["rows"]}


def test_the_scores_are_those_of_score(gap, wss, study):
    rows = by_name(gap("--json"))
    for name in LOST_ROWS:
        scored = json.loads(wss("score", study / name, study / "gt", "--json").out)
        assert rows["", name]["miou"] == pytest.approx(scored["miou"], abs=1e-12)
        assert rows["", name]["val"]["iou"] == pytest.approx(scored["iou"], abs=1e-12)


def test_json_carries_images_and_records(gap, wss, study):
    answer = gap("--json")
    assert answer["images"] == {"val": list(STEMS), "train": []}
    assert answer["classes"] == ["sky", "grass", "unused", "water"]
    (of_good,) = [entry for entry in answer["labels"] if entry["name"] == "good"]
    (folder,) = of_good["val"]
    scored = json.loads(wss("score", study / "good", study / "gt", "--json").out)
    assert folder["folder"] == str(study / "good")
    for stem in STEMS:
        assert folder["images"][stem] == pytest.approx(scored["images"][stem], abs=1e-12)
    info = json.loads(wss("info", study / "good" / "a.png", "--json").out)
    assert folder["first"] == info
    assert info["meta"]["step"] == "argmax"


def test_groups_make_blocks_with_gaps_of_their_own(wss, study):
    folders = {
        "one": ("full", "baseline", "good"),
        "two+msc": ("good", "baseline", "poor"),
    }
    entries = [
        f"{group}/{name}={study / folder}"
        for group, of in folders.items()
        for name, folder in zip(("full", "baseline", "ours"), of, strict=True)
    ]
    run = ("eval-gap", "--gt", study / "gt", "--jobs", 1, *entries)
    answer = json.loads(wss(*run, "--json").out)
    rows = by_name(answer)
    for group, (full, _, ours) in folders.items():
        mious = [rows[group, name]["miou"] for name in ("full", "baseline", "ours")]
        assert rows[group, "ours"]["reduction"] == pytest.approx(
            (mious[2] - mious[1]) / (mious[0] - mious[1])
        ), (full, ours)
    assert [entry["group"] for entry in answer["groups"]] == list(folders)
    lines = wss(*run).out.splitlines()
    assert lines[0].split()[:2] == ["network", "strategy"]
    assert [line.split()[0] for line in (lines[2], lines[5])] == list(folders)
    assert wss(*run, "--format", "latex").out.count(r"\midrule") == 2
    lacking = wss("eval-gap", "--gt", study / "gt", f"one/full={study / 'full'}")
    assert lacking.code == 2 and "give one/baseline=DIR" in lacking.err


def test_seeds_give_mean_and_standard_deviation(gap, study):
    rows = by_name(gap("--json", names=("good", "good2")))
    singles = [rows["", name]["miou"] for name in ("good", "good2")]
    both = f"both={study / 'good'},{study / 'good2'}"
    seeded = by_name(gap(both, "--json", names=()))["", "both"]
    assert seeded["miou"] == pytest.approx(np.mean(singles))
    assert seeded["val"]["std"] == pytest.approx(np.std(singles, ddof=1))
    assert f"± {100 * np.std(singles, ddof=1):.1f}" in gap(both, names=())
    assert r"$\pm$" in gap(both, "--format", "latex", names=())


def test_pfa_and_train_are_scored_on_the_training_images(gap, wss, study):
    """The training images may be others than the validation images."""
    (study / "train.txt").write_text("a\nb\n")
    for stem in "ab":  # poor/ holds them, and only them
        (study / "pfa").mkdir(exist_ok=True)
        shutil.copy(study / "poor" / f"{stem}.png", study / "pfa")
    more = (
        *("--pfa", f"good={study / 'pfa'}", "--train-labels", f"good={study / 'good2'}"),
        *("--pfa", f"only labels={study / 'pfa'}", "--train-ids", study / "train.txt"),
    )
    answer = gap(*more, "--json")
    row = by_name(answer)["", "good"]
    for column, folder in (("pfa", "poor"), ("train", "good2")):
        ids = ("--ids", study / "train.txt", "--json")
        scored = json.loads(wss("score", study / folder, study / "gt", *ids).out)
        assert row[column]["miou"] == pytest.approx(scored["miou"], abs=1e-12)
    assert answer["images"] == {"val": list(STEMS), "train": ["a", "b"]}
    assert by_name(answer)["", "only labels"]["miou"] is None
    table = gap(*more).splitlines()
    assert table[0].split() == ["strategy", "PFA", "train", "val", "gap", "gap", "reduction"]
    assert len(table[-1].split()) == 3  # "only labels" and its PFA


def test_a_study_file_is_the_same_as_its_options(gap, wss, study):
    (study / "study.csv").write_text(
        "# the folders\n"
        "name,val,pfa,train\nfull,full,,\nbaseline,baseline,,good\n"
        'good,"good,good2",poor,\npoor,poor,,\n'
    )
    run = ("eval-gap", "--gt", study / "gt", "--jobs", 1, "--bootstrap", 40, "--json")
    answer = json.loads(wss(*run, "--study", study / "study.csv").out)
    same = gap(
        *(f"good={study / 'good'},{study / 'good2'}", f"poor={study / 'poor'}"),
        *("--pfa", f"good={study / 'poor'}", "--train-labels", f"baseline={study / 'good'}"),
        *("--bootstrap", 40, "--json"),
        names=(),
    )
    assert answer == same
    for text, message in {
        "name\nfull\n": "name,val",
        "name,val\nfull,full\nfull,full\n": "full occurs twice",
        "name,val\n,full\n": "no name",
    }.items():
        (study / "study.csv").write_text(text)
        outcome = wss(*run, "--study", study / "study.csv")
        assert outcome.code == 1 and message in outcome.err


def test_intervals_hold_their_numbers_and_follow_the_seed(gap):
    first = gap("--bootstrap", 300, "--json")
    for row in first["rows"]:
        low, high = row["val"]["interval"]
        assert low < row["miou"] < high
    good = by_name(first)["", "good"]
    low, high = good["reduction_interval"]
    assert low < good["reduction"] < high
    assert gap("--bootstrap", 300, "--json") == first
    assert gap("--bootstrap", 300, "--seed", 1, "--json") != first
    assert first["bootstrap"] == {
        "resamples": 300, "seed": 0, "level": 0.95,
        "val_clusters": None, "train_clusters": None, "seeds": [1],
    }  # fmt: skip
    header = gap("--bootstrap", 300).splitlines()[0]
    assert header.split("  ")[0] == "strategy" and header.count("95 %") == 2


def test_differences_are_against_the_best_or_a_given_strategy(gap, wss, study):
    answer = gap("--bootstrap", 200, "--json")
    rows = by_name(answer)
    assert [one["name"] for one in answer["differences"]] == ["full", "baseline", "poor"]
    for one in answer["differences"]:
        assert one["against"] == {"group": "", "name": "good"}
        assert one["difference"] == pytest.approx(
            rows["", one["name"]]["miou"] - rows["", "good"]["miou"]
        )
        assert one["interval"][0] <= one["difference"] <= one["interval"][1]
    shares = {one["name"]: one["better_share"] for one in answer["differences"]}
    assert shares["full"] == 1.0 and shares["poor"] == 0.0
    other = gap("--bootstrap", 200, "--against", "baseline", "--json")["differences"]
    assert [one["name"] for one in other] == ["full", "good", "poor"]
    assert "poor      good" in gap("--bootstrap", 200)
    run = ("eval-gap", "--gt", study / "gt", "--full", study / "full")
    run = (*run, "--baseline", study / "baseline")
    assert wss(*run, "--against", "good").code == 2
    assert wss(*run, "--bootstrap", 9, "--against", "none").code == 2


def test_a_single_image_has_no_interval(wss, study):
    (study / "one.txt").write_text("a\n")
    run = ("eval-gap", "--gt", study / "gt", "--full", study / "full", "--ids", study / "one.txt")
    outcome = wss(*run, "--baseline", study / "baseline", "--bootstrap", 9, "--jobs", 1)
    assert outcome.code == 2
    assert "there is only 1" in outcome.err


def test_clusters_are_resampled_as_wholes(gap, study):
    """Two of four images each, named by a file or an expression, against counts summed by hand."""
    (study / "two.csv").write_text("# patients\nname,cluster\na,1\nb.png,1\nc,2\nd,2\nmore,3\n")
    more = ("--bootstrap", 500, "--json")
    of_file = gap("--clusters", study / "two.csv", *more)
    assert of_file["bootstrap"]["val_clusters"] == 2
    assert of_file["bootstrap"]["train_clusters"] is None
    (study / "two.csv").write_text("a one\nb  one\nc\ttwo\nd two\n")
    assert gap("--clusters", study / "two.csv", *more) == of_file
    labels = {}
    for half in ("ab", "cd"):
        (study / "half.txt").write_text("\n".join(half))
        labels[half] = by_name(gap("--ids", study / "half.txt", "--json"))
    single = by_name(gap(*more))
    for name in LOST_ROWS:
        row = by_name(of_file)["", name]
        ends = sorted(labels[half]["", name]["miou"] for half in labels)
        assert row["val"]["interval"] == pytest.approx(ends, abs=1e-12)  # a quarter are one cluster
        assert row["miou"] == single["", name]["miou"]
    assert gap("--clusters", "(.)", *more)["bootstrap"]["val_clusters"] == 4
    assert by_name(gap("--clusters", ".", *more)) == single


def test_clusters_of_training_images_count_too(gap, study):
    (study / "two.csv").write_text("a,1\nb,1\nc,2\nd,2\n")
    more = ("--pfa", f"good={study / 'poor'}", "--bootstrap", 500)
    answer = gap("--clusters", study / "two.csv", *more, "--json")
    assert answer["bootstrap"]["train_clusters"] == 2
    rows = by_name(answer)
    assert rows["", "good"]["pfa"]["interval"] == rows["", "poor"]["val"]["interval"]


def test_an_image_without_a_cluster_is_named(wss, study):
    run = ("eval-gap", "--gt", study / "gt", "--full", study / "full", "--jobs", 1)
    run = (*run, "--baseline", study / "baseline", "--bootstrap", 9)
    (study / "some.txt").write_text("a one\nb two\nd one\n")
    for clusters, name in (
        ("[abd]", "c"),
        (study / "some.txt", "c"),
        ("([bcd])|a", "a"),  # matched, but not by the group
        ("()", "a"),
    ):
        outcome = wss(*run, "--clusters", clusters)
        assert outcome.code == 1 and outcome.out == ""
        assert f"error: {name}: no cluster by --clusters {clusters}" in outcome.err
    for text, message in {
        "a one\na two\n": "a is in two clusters: one and two",
        "a\n": "'a': expected a name and its cluster",
        "a,b,c\n": "expected a name and its cluster",
        "# none\n": "no image in it",
    }.items():
        (study / "some.txt").write_text(text)
        outcome = wss(*run, "--clusters", study / "some.txt")
        assert outcome.code == 1 and message in outcome.err
    (study / "some.txt").write_text("a one\nb one\nc one\nd one\n")
    outcome = wss(*run, "--clusters", study / "some.txt")
    assert outcome.code == 2 and "resamples clusters, and there is only 1" in outcome.err
    outcome = wss(*run, "--clusters", "(a")
    assert outcome.code == 2 and "neither a file nor a regular expression" in outcome.err
    outcome = wss(*run[:-2], "--clusters", "a")
    assert outcome.code == 2 and "--clusters needs --bootstrap N" in outcome.err
    assert wss("eval-gap", "--scores", "t.csv", "--clusters", "a").code == 2


def seeded(study, **folders):
    """Arguments of a study with these folders as seeds of each row."""
    return [
        f"g/{name}={','.join(str(study / one) for one in places)}"
        for name, places in folders.items()
    ]


def test_seeds_widen_intervals_and_the_table_says_so(wss, study):
    """The half width over two seeds is t(1, 0.975) |a - b| / 2 = 6.353102 |a - b|."""

    def answer(*entries, form="json"):
        run = ("eval-gap", "--gt", study / "gt", "--jobs", 1, *entries, "--bootstrap", 200)
        outcome = wss(*run, "--format", form)
        assert outcome.code == 0, outcome.err
        return json.loads(outcome.out) if form == "json" else outcome.out

    two = seeded(
        study, full=["full", "good"], baseline=["baseline", "poor"], ours=["good2", "good2"]
    )
    found = answer(*two)
    rows = by_name(found)
    single = [
        by_name(answer(*seeded(study, full=[full], baseline=[base], ours=["good2"])))
        for full, base in (("full", "baseline"), ("good", "poor"))
    ]
    reductions = [one["g", "ours"]["reduction"] for one in single]
    low, high = rows["g", "ours"]["reduction_interval"]
    reduction, half = rows["g", "ours"]["reduction"], 6.353102 * abs(np.subtract(*reductions))
    assert low < reduction - half and high > reduction + half
    assert rows["g", "ours"]["val"]["interval"] == single[0]["g", "ours"]["val"]["interval"]
    assert rows["g", "ours"]["reduction_seeds"] == rows["g", "full"]["val"]["interval_seeds"] == 2
    assert {one["interval_seeds"] for one in found["differences"]} == {2}
    assert found["bootstrap"]["seeds"] == [2]
    assert "95 % intervals over 4 images, and 2 seeds" in answer(*two, form="table")
    assert r"95 \% intervals over 4 images, and 2 seeds" in answer(*two, form="latex")

    one = seeded(study, full=["full"], baseline=["baseline"], ours=["good2"])
    text = "95 % intervals over 4 images only: another training run moves numbers too"
    assert answer(*one, form="table").splitlines()[-1] == text
    assert text in answer(*one, "--clusters", ".", form="markdown").replace("4 clusters of ", "")
    mixed = seeded(study, full=["full", "good"], baseline=["baseline", "poor"], ours=["good2"])
    found = answer(*mixed)
    assert found["bootstrap"]["seeds"] == [1, 2]
    assert by_name(found)["g", "ours"]["reduction_seeds"] == 1
    assert "over 4 images, and 2 seeds where all rows" in answer(*mixed, form="table")


def test_bands_are_the_scores_of_the_pixels_near_a_border(gap, wss, study):
    """The ground truth with all else cut out, scored as a whole, is the band."""
    answer = gap("--band", "3,1", "--json")
    assert answer["bands"] == {"widths": [1, 3], "void_is_border": False}
    for width in (1, 3):
        cut = study / f"cut{width}"
        cut.mkdir()
        for path in (study / "gt").iterdir():
            gt = label_files.decode_labels(path.read_bytes(), "").value
            rows, columns = np.indices(gt.shape)
            near = np.zeros(gt.shape, bool)
            for down in range(-width, width + 1):
                for right in range(-width, width + 1):
                    if down**2 + right**2 > width**2:
                        continue
                    r, c = rows + down, columns + right
                    inside = (r >= 0) & (r < gt.shape[0]) & (c >= 0) & (c < gt.shape[1])
                    other = gt[np.clip(r, 0, gt.shape[0] - 1), np.clip(c, 0, gt.shape[1] - 1)]
                    near |= inside & (other != gt)
            gt = np.where(near, gt, 255).astype(np.uint8)
            (cut / path.name).write_bytes(label_files.encode_labels(gt, {}))
        for name in LOST_ROWS:
            scored = json.loads(wss("score", study / name, cut, "--json").out)
            found = by_name(answer)["", name]["bands"][str(width)]
            assert found["miou"] == pytest.approx(scored["miou"], abs=1e-12)
    text = gap("--band", "1,3")
    assert "mIoU within so many pixels of a border:" in text
    assert "gap reduction there:" in text
    for bad in ("0", "two", "1,-2"):
        assert wss("eval-gap", "--gt", "g", "--full", "f", "--band", bad).code == 2


def test_the_gap_of_each_class(gap):
    text = gap("--per-class")
    rows = {line.split()[0]: line.split()[1:] for line in text.split("\n\n")[1].splitlines()}
    assert rows["class"] == ["full", "baseline", "good", "poor"]
    answer = by_name(gap("--json"))
    for name in ("sky", "grass", "water"):
        iou = [answer["", key]["val"]["iou"][name] for key in LOST_ROWS]
        expected = [iou[0], *(iou[0] - other for other in iou[1:])]
        assert [float(cell) for cell in rows[name]] == pytest.approx(
            [100 * value for value in expected], abs=0.0501
        )


def test_csv_has_columns_for_what_there_is(gap):
    plain = list(csv.DictReader(io.StringIO(gap("--format", "csv"))))
    assert list(plain[0]) == ["name", "miou", "gap", "reduction"]
    more = ("--bootstrap", 50, "--band", "2", "--per-class", "--format", "csv")
    rich = list(csv.DictReader(io.StringIO(gap(*more))))
    answer = by_name(gap("--bootstrap", 50, "--band", "2", "--json"))
    for row in rich:
        numbers = answer["", row["name"]]
        assert float(row["miou_low"]) == numbers["val"]["interval"][0]
        assert float(row["band_2"]) == numbers["bands"]["2"]["miou"]
        assert float(row["iou_water"]) == numbers["val"]["iou"]["water"]
    assert rich[2]["against"] == "" and rich[3]["against"] == "good"


def test_one_and_two_jobs_give_the_same(gap):
    more = ("--bootstrap", 30, "--band", "2", "--json")
    assert gap(*more, "--jobs", 2) == gap(*more)


def test_a_corrupt_label_file_is_one_line(wss, study):
    (study / "good" / "b.png").write_bytes(b"no picture")
    run = ("eval-gap", "--gt", study / "gt", "--full", study / "full", "--jobs", 1)
    outcome = wss(*run, "--baseline", study / "baseline", f"good={study / 'good'}")
    assert outcome.code == 1 and outcome.out == ""
    assert [line for line in outcome.err.splitlines() if "b: failed" in line and "good" in line]


def test_printed_reductions_are_shown_beside_what_the_scores_give(wss, tmp_path):
    (tmp_path / "t.csv").write_text(
        "group,name,miou,printed_reduction\n"
        "Table 1,full,68.4,\nTable 1,baseline,64.0,\nTable 1,local + Potts,60.2,-70.4\n"
    )
    answer = json.loads(wss("eval-gap", "--scores", tmp_path / "t.csv", "--json").out)
    row = answer["rows"][2]
    assert row["printed_reduction"] == pytest.approx(-0.704)
    assert round(100 * row["reduction"], 1) == -86.4
    text = wss("eval-gap", "--scores", tmp_path / "t.csv").out
    assert "-70.4 %" in text and "-86.4 %" in text


def test_published_rows_are_marked_and_named(gap, wss):
    given = read_published()
    assert all(row.source for row in given)
    assert {row.key.group for row in given} >= {
        "DeepLab-ResNet101 (published)",
        "DeepLab-VGG16 (published)",
    }
    alone = json.loads(wss("eval-gap", "--published", "--json").out)
    assert len(alone["rows"]) == len(given)
    assert all(row["published"] and row["source"] for row in alone["rows"])
    dense = by_name(alone)["DeepLab-ResNet101 (published)", "DenseCRF loss"]
    assert dense["reduction"] == pytest.approx((73.0 - 69.5) / (75.6 - 69.5))
    post_processed = by_name(alone)["Tang et al.: DeepLab-ResNet101, MSC, CRF (published)", "NCL"]
    assert post_processed["printed_reduction"] == pytest.approx(0.425)
    beside = gap("--published", "--json")
    assert [row["published"] for row in beside["rows"][:5]] == [False] * 4 + [True]
    text = gap("--published")
    assert "DeepLab-ResNet101 (published)" in text
    assert "[1] published, not measured here: github.com/" in text
    marked = [line for line in text.splitlines() if "DenseCRF loss [1]" in line]
    assert len(marked) == 4


def test_a_given_table_has_the_columns_of_table_1(wss, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text(
        "name,pfa,train,miou\nbaseline,,70.1,60\nfull,100,90.5,70\nours,80.2,85.0,65\n"
    )
    lines = [line.split() for line in wss("eval-gap", "--scores", table).out.splitlines()]
    assert lines[0] == ["strategy", "PFA", "train", "val", "gap", "gap", "reduction"]
    assert lines[2:] == [
        ["full", "100.0", "90.5", "70.0"],
        ["baseline", "70.1", "60.0", "10.0"],
        ["ours", "80.2", "85.0", "65.0", "5.0", "50.0", "%"],
    ]
    table.write_text("group,name,miou\na,full,0.7\na,baseline,0.6\nb,full,0.8\n")
    outcome = wss("eval-gap", "--scores", table)
    assert outcome.code == 1 and "no row 'baseline' in the group 'b'" in outcome.err
    assert wss("eval-gap", "--scores", table, "--bootstrap", 9).code == 2


@pytest.mark.slow
def test_one_folder_may_come_through_a_pipe(shell, study):
    line = (
        f"ls {study}/good/*.png | wss eval-gap --gt {study}/gt --full {study}/full "
        f"--baseline {study}/baseline good=- --jobs 1 --json"
    )
    piped = shell(line)
    assert piped.code == 0, piped.err
    given = shell(line.replace("good=-", f"good={study}/good"))
    assert json.loads(piped.out)["rows"] == json.loads(given.out)["rows"]


def gap_of(wss, dataset, predictions, *more):
    return wss(
        "eval-gap",
        "--gt",
        dataset / "gt",
        "--full",
        predictions / "full",
        "--baseline",
        predictions / "baseline",
        f"ours={predictions / 'strategy'}",
        *more,
    )


def test_the_gap_table_of_folders(wss, dataset, predictions):
    outcome = gap_of(wss, dataset, predictions, "--json")
    assert outcome.code == 0, outcome.err
    answer = json.loads(outcome.out)
    _, baseline, ours = answer["rows"]
    assert [row["name"] for row in answer["rows"]] == ["full", "baseline", "ours"]
    scored = json.loads(wss("score", predictions / "baseline", dataset / "gt", "--json").out)
    assert baseline["miou"] == pytest.approx(scored["miou"])
    assert answer["full_gap"] == pytest.approx(1 - baseline["miou"])
    assert ours["reduction"] == pytest.approx(
        (ours["miou"] - baseline["miou"]) / answer["full_gap"]
    )
    assert "left out of the mean, in neither ground truth nor labels: unused" in outcome.err


def test_the_gap_table_in_all_forms(wss, dataset, predictions):
    table = gap_of(wss, dataset, predictions).out
    assert table.splitlines()[0].split() == ["strategy", "mIoU", "gap", "gap", "reduction"]
    rows = list(
        csv.DictReader(io.StringIO(gap_of(wss, dataset, predictions, "--format", "csv").out))
    )
    assert [row["name"] for row in rows] == ["full", "baseline", "ours"]
    assert 0 < float(rows[2]["reduction"]) < 1
    markdown = gap_of(wss, dataset, predictions, "--format", "markdown").out
    assert markdown.startswith("| strategy | mIoU | gap | gap reduction |\n| --- | ---: |")
    latex = gap_of(wss, dataset, predictions, "--format", "latex").out
    assert latex.startswith("\\begin{tabular}")
    assert r"\%" in latex
    assert gap_of(wss, dataset, predictions, "--format", "pdf").code == 2


def test_the_gap_table_of_given_numbers(wss, tmp_path):
    scores = tmp_path / "table1.csv"
    scores.write_text("name,miou\nfull,76.8\nbaseline,72.4\nlocal + Potts,68.6\nA & B_1,76.8\n")
    text = wss("eval-gap", "--scores", scores).out
    assert "local + Potts  68.6  8.2        -86.4 %" in text
    assert r"A \& B\_1" in wss("eval-gap", "--scores", scores, "--format", "latex").out


def test_folders_of_different_images_are_refused(wss, dataset, predictions):
    (predictions / "strategy" / "d.png").unlink()
    outcome = gap_of(wss, dataset, predictions)
    assert outcome.code == 1
    assert "different images" in outcome.err
    assert "'d'" in outcome.err


@pytest.mark.parametrize("argument", ["ours", "=x", "ours=", "full=x"])
def test_strategies_need_a_name(wss, dataset, predictions, argument):
    outcome = wss(
        "eval-gap",
        "--gt",
        dataset / "gt",
        "--full",
        predictions / "full",
        "--baseline",
        predictions / "baseline",
        argument,
    )
    assert outcome.code == 2


def test_sizes_that_differ_fail_by_name(wss, dataset, predictions):
    small = label_files.encode_labels(np.zeros((4, 4), np.uint8), {})
    (predictions / "full" / "c.png").write_bytes(small)
    outcome = wss("score", predictions / "full", dataset / "gt")
    assert outcome.code == 1
    assert "c: failed: labels have shape (4, 4), ground truth (40, 56)" in outcome.err
