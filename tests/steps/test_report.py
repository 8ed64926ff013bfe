"""The report: what is in the page, and what it makes of files that are not as they should be."""

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from builders import STEMS, draw_image

from wsstools.core.evaluation.study import Key, Part, Study, StudyRow
from wsstools.core.palette import voc_palette
from wsstools.errors import DataError
from wsstools.formats.image_files import decode_image, encode_jpeg
from wsstools.formats.label_files import encode_labels
from wsstools.formats.studies.results import decode_study, encode_study
from wsstools.view.figures.drawing import SERIES, Drawing
from wsstools.view.report import figures, numbers
from wsstools.view.report.figures import MOST_BARS, image_accuracies
from wsstools.view.report.page import report_page
from wsstools.view.report.sheets import Sheets, sheet_plans, sheets_section, thumbnail
from wsstools.view.report.summary import summary

HOSTILE = "<img src=x onerror=alert(1)>&\"'"
SCORES = (
    "group,name,miou,printed_reduction\n"
    "net,full,70.6,\nnet,baseline,66.2,\nnet,local,62.4,-70.4\nnet,combined,68.5,52.3\n"
)


class Page(HTMLParser):
    """Reads a page and checks that every element is closed where it must be."""

    VOID = ("meta", "link", "img", "br")

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.texts, self.headings = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"{tag} has an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> within {self.open}"
        self.open.pop()

    def handle_data(self, data):
        if "style" in self.open or "script" in self.open:
            return
        self.texts.append(data)
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).replace("\xa0", " ").split())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="session")
def study(dataset, tmp_path_factory):
    """A folder with labels of several strategies; gives it and the arguments of eval-gap."""
    root = tmp_path_factory.mktemp("study")
    for position, (name, wrong) in enumerate(
        (("full", 60), ("baseline", 700), ("local", 500), ("combined", 200), ("pfa", 300))
    ):
        (root / name).mkdir()
        for seed, stem in enumerate(STEMS):
            _, labels, _ = draw_image(seed)
            rng = np.random.default_rng([position, seed])
            # Of the last image more is wrong under the best strategy than under the baseline.
            count = 900 if name == "combined" and seed == 3 else wrong
            places = rng.choice(labels.size, count, replace=False)
            labels.ravel()[places] = rng.choice([0, 1, 3], count)
            record = {
                "kind": "labels",
                "stem": stem,
                "step": "argmax",
                "version": "0.1.0",
                "options": {"min_prob": 0.25, "note": HOSTILE},
                "inputs": [{"role": "map", "name": f"{stem}.npz", "blake2b": "0123456789abcdef"}],
            }
            (root / name / f"{stem}.png").write_bytes(encode_labels(labels, record))
    options = ["--gt", dataset / "gt", "--full", root / "full", "--baseline", root / "baseline"]
    options += [f"local={root}/local", f"combined={root}/combined", "--pfa", f"combined={root}/pfa"]
    options += ["--pfa", f"local={root}/pfa", "--bootstrap", 50, "--band", "1,3", "-j", 1]
    return root, options


@pytest.fixture(scope="session")
def study_file(study, tmp_path_factory):
    """The study as JSON."""
    import contextlib
    import io

    from wsstools.cli.main import run

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert run(["eval-gap", *map(str, study[1]), "--json"]) == 0
    place = tmp_path_factory.mktemp("json") / "gap.json"
    place.write_text(printed.getvalue())
    return place


@pytest.fixture(scope="module")
def page_file(dataset, study_file, tmp_path_factory):
    """The page of the study, with sheets."""
    from wsstools.cli.main import run

    out = tmp_path_factory.mktemp("page") / "report.html"
    places = ["--images", str(dataset / "images"), "--gt", str(dataset / "gt")]
    assert run(["report", str(study_file), *places, "-o", str(out)]) == 0
    return out


def changed(study_file, tmp_path, change):
    """The study with something changed, as a file of its own; it has no digest any more."""
    values = json.loads(study_file.read_text())
    change(values)
    values.pop("digest", None)
    place = tmp_path / "changed.json"
    place.write_text(json.dumps(values))
    return place


def shares(values):
    """All mIoUs, gaps and reductions of the rows as the page prints them."""
    for row in values["rows"]:
        yield f"{100 * row['miou']:.1f}"
        if row["name"] != "full":
            yield f"{100 * row['gap']:.1f}"
        if row["name"] not in ("full", "baseline"):
            yield f"{100 * row['reduction']:.1f} %"
            low, high = (
                "inf" if e is None else f"{100 * e:.1f}" for e in row["reduction_interval"]
            )
            yield f"{low}, {high}] %"
            for band in row["bands"].values():
                yield f"{100 * band['reduction']:.1f} %"
        yield "[{:.1f}, {:.1f}]".format(*(100 * end for end in row["val"]["interval"]))
        for band in row["bands"].values():
            yield f"{100 * band['miou']:.1f}"
        if row["pfa"]:
            yield f"{100 * row['pfa']['miou']:.1f}"
    for one in values["differences"]:
        yield f"{100 * one['difference']:+.1f}"
        yield f"{100 * one['better_share']:.0f} %"


def test_page_holds_the_study(study_file, page_file):
    page = Page(page_file.read_text())
    values = json.loads(study_file.read_text())
    for share in shares(values):
        assert share in page.text, share
    full = next(row for row in values["rows"] if row["name"] == "full")
    for name, iou in full["val"]["iou"].items():
        assert f"{name} {100 * iou:.1f}" in page.text
        assert f"{name}, full: {100 * iou:.1f} %" in page.text
    for stem in STEMS:
        assert stem in page.text
    assert page.headings[1:] == [
        "The gap", "Differences", "Near borders", "Labels trained on, and what they give",
        "Image by image", "Class by class", "Where they differ", "Where it comes from",
    ]  # fmt: skip
    assert "wss argmax" in page.text and "min_prob=0.25" in page.text
    assert "50 resamples of the images, seed 0" in page.text
    assert "Left out" not in page.text
    assert len(page.all("svg")) == 1 + 1 + 3 + 1  # intervals, PFA, three rows, classes
    # Three images in which the strategy gains and one in which it loses, in five columns.
    assert len(page.all("img")) == 4 * 5


def test_page_is_whole_and_accessible(page_file):
    text = page_file.read_text()
    page = Page(text)
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert not [a for name, a in page.elements if name in ("iframe", "object", "embed", "base")]
    for name, attributes in page.elements:
        for key in ("src", "href"):
            place = attributes.get(key, "")
            assert place.startswith(("data:", "#")) or not place, (name, place)
        assert not [key for key in attributes if key.startswith("on")]
    assert not re.search(r"url\(|@import", text)
    policies = [a["content"] for a in page.all("meta") if "http-equiv" in a]
    assert len(policies) == 1 and policies[0].startswith("default-src 'none'")
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(set(ids)) == len(ids)
    for link in page.all("a"):
        assert link["href"].lstrip("#") in ids
    assert all(image["alt"] for image in page.all("img"))
    assert all(plot["role"] == "img" and plot["aria-label"] for plot in page.all("svg"))
    assert all(cell.get("scope") for cell in page.all("th"))
    assert len(page.all("h1")) == 1


def test_the_colours_of_the_figures_are_those_of_the_page():
    page = report_page(Study([]), Sheets(), title="t")
    for k, colour in enumerate(SERIES):
        assert f"--plot-{k}: {colour};" in page
    for text in ("{{", "{%", "{#"):
        assert text not in page


def test_what_html_cannot_hold_is_replaced():
    rows = [StudyRow(Key("", name), Part(0.5)) for name in ("full", "a\x00\udc80", "baseline")]
    page = report_page(Study(rows), Sheets(), title="\x01")
    page.encode()
    assert "<title>\ufffd</title>" in page and "a\ufffd\ufffd" in page


def test_same_input_same_bytes(wss, dataset, study_file, page_file, tmp_path):
    places = ("--images", dataset / "images", "--gt", dataset / "gt")
    outcome = wss("report", study_file, *places, "-o", tmp_path / "again.html")
    assert outcome.code == 0, outcome.err
    assert outcome.paths == [tmp_path / "again.html"]
    first = page_file.read_bytes()
    assert first == (tmp_path / "again.html").read_bytes()
    assert len(first) < 1e6


@pytest.mark.slow
def test_reads_standard_input(shell, study_file):
    outcome = shell(f"wss report - --sheet-images 0 -o r.html < {study_file}")
    assert outcome.code == 0, outcome.err
    assert outcome.out == "r.html\n"


def test_given_scores_make_a_page(wss, tmp_path):
    (tmp_path / "t.csv").write_text(SCORES)
    printed = wss("eval-gap", "--scores", tmp_path / "t.csv", "--published", "--json")
    (tmp_path / "t.json").write_text(printed.out)
    outcome = wss("report", tmp_path / "t.json", "-o", tmp_path / "t.html", "--title", "Table <1>")
    assert outcome.code == 0, outcome.err
    page = Page((tmp_path / "t.html").read_text())
    assert page.headings[0] == "Table <1>"
    assert "-86.4 %" in page.text and "-70.4 %" in page.text  # recomputed, and as printed
    assert "published, not measured here" in page.text
    assert "net: Full supervision reaches 70.6 % mIoU" in page.text
    assert "(published): Full" not in page.text
    assert "What is left out" in page.headings
    assert page.text.count("it was made from given scores") == 3
    assert "Image by image" not in page.headings
    assert not page.all("img")


def test_only_published_numbers_make_a_page(wss, tmp_path):
    printed = wss("eval-gap", "--published", "--json")
    (tmp_path / "p.json").write_text(printed.out)
    assert wss("report", tmp_path / "p.json", "-o", tmp_path / "p.html").code == 0
    Page((tmp_path / "p.html").read_text())


def test_names_are_written_as_text(wss, dataset, study_file, tmp_path):
    def rename(values):
        for entry in (*values["rows"], *values["labels"], *values["differences"]):
            if entry["name"] == "combined":
                entry["name"] = HOSTILE
        for one in values["differences"]:
            if one["against"]["name"] == "combined":
                one["against"]["name"] = HOSTILE
        values["classes"][0] = HOSTILE
        for row in values["rows"]:
            for part in (row["val"], row["pfa"], *row["bands"].values()):
                if part:
                    part["iou"] = {HOSTILE if k == "sky" else k: v for k, v in part["iou"].items()}
        for entry in values["labels"]:
            for folder in entry["val"]:
                folder["images"][HOSTILE] = folder["images"].pop("a")
        values["rows"][0]["source"] = HOSTILE

    hostile = changed(study_file, tmp_path, rename)
    out = tmp_path / "h.html"
    outcome = wss("report", hostile, "--images", dataset / "images", "-o", out, "--title", HOSTILE)
    assert outcome.code == 0, outcome.err
    text = out.read_text()
    page = Page(text)
    assert all("onerror" not in attributes for _, attributes in page.elements)
    assert not [image for image in page.all("img") if image.get("src") == "x"]
    assert "<img src=x" not in text
    assert page.text.count(HOSTILE) > 10
    assert page.headings[0] == HOSTILE
    # The image of that name is not there, which is reported and does not stop the rest.
    assert f"{HOSTILE}: no image with that name" in outcome.err
    assert "not found" in page.text


def test_what_is_gone_is_reported(wss, study_file, tmp_path):
    def move(values):
        for entry in values["labels"]:
            if entry["name"] == "full":
                entry["val"][0]["folder"] = str(tmp_path / "gone")

    moved = changed(study_file, tmp_path, move)
    outcome = wss("report", moved, "-o", tmp_path / "r.html")
    assert outcome.code == 0, outcome.err
    page = Page((tmp_path / "r.html").read_text())
    for part in (f"{tmp_path}/gone: no such file or folder", "--images", "--gt"):
        assert part in page.text and part in outcome.err
    assert len(page.all("img")) == 4 * 2  # baseline and strategy are still there
    damaged = tmp_path / "images"
    damaged.mkdir()
    for stem in STEMS:
        (damaged / f"{stem}.png").write_bytes(b"no picture")
    outcome = wss("report", study_file, "--images", damaged, "-o", tmp_path / "d.html")
    assert outcome.code == 0
    assert "not a readable image" in Page((tmp_path / "d.html").read_text()).text


@pytest.mark.parametrize("kind", ["device", "pipe", "large"])
def test_a_study_of_others_is_no_reason_to_read_any_file(wss, study_file, tmp_path, kind):
    """It names paths, which may be devices that never end, pipes that nobody writes to."""
    place = {"device": Path("/dev/zero"), "pipe": tmp_path / "a", "large": tmp_path / "a"}[kind]
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "large":
        place.touch()
        os.truncate(place, 1 << 40)

    def move(values):
        for entry in values["labels"]:
            for folder in entry["val"]:
                folder["folder"] = str(place)
                folder["images"] = dict.fromkeys([place.name], folder["images"]["a"])

    outcome = wss("report", changed(study_file, tmp_path, move), "-o", tmp_path / "r.html")
    assert outcome.code == 0, outcome.err
    why = {"pipe": " is a pipe", "device": " is a device"}.get(
        kind, ": no regular file of at most 256 MiB"
    )
    assert f"{place}{why}" in outcome.err


def test_sheets_can_be_left_out(wss, study_file, tmp_path):
    assert wss("report", study_file, "--sheet-images", 0, "-o", tmp_path / "r.html").code == 0
    page = Page((tmp_path / "r.html").read_text())
    assert not page.all("img")
    assert "no sheets were asked for" in page.text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("no json", "not JSON"),
        ("[1]", "Expected `object`, got `array`"),
        ('{"miou": 0.5}', "missing required field `rows`"),
        ('{"rows": [{"group": "", "name": 3}]}', "Expected `str`, got `int` - at `$.rows[0].name`"),
        ('{"rows": [{"group": "", "name": "a", "val": {"miou": 57.5}}]}', "Expected `float` <= 1.0 - at `$.rows[0].val.miou`"),
        ('{"rows": [{"group": "", "name": "a", "gap": true}]}', "got `bool` - at `$.rows[0].gap`"),
        ('{"rows": [{"group": "", "name": "a", "gap": 1e999}]}', "out of range - at `$.rows[0].gap`"),
        ('{"rows": [{"group":"","name":"a"},{"group":"","name":"a"}]}', "the row a occurs twice"),
        ('{"rows": [], "labels": [{"group": "", "name": "a", "val": [3]}]}', "got `int` - at `$.labels[0].val[0]`"),
        (
            '{"rows": [{"group": "", "name": "a", "bands": {"2": {"miou": 0.5}}}]}',
            "a has bands, full or baseline has none",
        ),
        ("[" * 100_000, "Expected `object`"),
        ("\udcff", "not JSON"),
    ],
)  # fmt: skip
def test_other_files_are_refused_in_one_line(wss, tmp_path, text, complaint):
    place = tmp_path / "x.json"
    place.write_bytes(text.encode("utf-8", "surrogateescape"))
    outcome = wss("report", place, "-o", tmp_path / "r.html")
    assert outcome.code == 1
    assert complaint in outcome.err
    assert outcome.err.startswith(f"wss report: error: {place}: ")
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "r.html").exists()


def test_missing_file_is_reported(wss, tmp_path):
    outcome = wss("report", tmp_path / "none.json", "-o", tmp_path / "r.html")
    assert outcome.code == 1
    assert "none.json: No such file" in outcome.err


def test_record_in_another_form_is_refused(study_file, tmp_path):
    def spoil(values):
        values["labels"][0]["val"][0]["first"]["meta"]["inputs"] = {}

    spoiled = changed(study_file, tmp_path, spoil)
    with pytest.raises(DataError, match="does not say how it was made"):
        decode_study(spoiled.read_bytes(), "x.json")


def places_in(value, place=()):
    """The places of all values in a JSON value."""
    yield place
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places_in(value[key], (*place, key))


@pytest.fixture
def drawn_once(monkeypatch):
    """A figure of the same numbers is not drawn again, which takes most of the time of a page."""
    drawn = {}

    def kept(function):
        def once(*given, **options):
            key = function, repr((given, options))
            if key not in drawn:
                drawn[key] = function(*given, **options)
            return drawn[key]

        return once

    monkeypatch.setattr(figures, "scatter", kept(figures.scatter))
    monkeypatch.setattr(figures, "bars", kept(figures.bars))
    monkeypatch.setattr(numbers, "dot_rows", kept(numbers.dot_rows))
    shown, inlined = Drawing.inline, {}

    def inline(drawing, prefix):
        key = id(drawing), prefix
        if key not in inlined:
            inlined[key] = drawing, shown(drawing, prefix)
        return inlined[key][1]

    monkeypatch.setattr(Drawing, "inline", inline)


@pytest.mark.slow
def test_what_is_changed_is_refused_or_shown(study_file, drawn_once):
    """Whatever value is another, or gone, it is refused by name or the page is made without it."""
    values = json.loads(study_file.read_text())
    del values["digest"]
    kinds = {}
    for place in places_in(values):
        if place:  # one of those that differ in their positions only
            kinds.setdefault(tuple(k for k in place[-2:] if isinstance(k, str)), place)
    refused = []
    for position, (*above, last) in enumerate(kinds.values()):
        holder = json.loads(study_file.read_text())
        del holder["digest"]
        inner = holder
        for key in above:
            inner = inner[key]
        if position % 3 == 0:
            del inner[last]
        else:
            inner[last] = None if position % 3 == 1 else "x"
        try:
            study = decode_study(json.dumps(holder).encode(), "x.json")
        except DataError as error:
            refused.append(str(error))
        else:
            Page(report_page(study, Sheets(sheet_plans(study, 1)), title="changed"))
    assert len(kinds) > 60
    assert 0 < len(refused) < len(kinds)
    complaint = "x.json: not what wss eval-gap --json prints: "
    assert all(message.startswith(complaint) for message in refused)


def test_study_is_read_as_it_was_written(study_file, wss, tmp_path):
    data = study_file.read_bytes()
    assert json.loads(encode_study(decode_study(data, "gap.json"))) == json.loads(data)
    (tmp_path / "t.csv").write_text(SCORES)
    printed = wss("eval-gap", "--scores", tmp_path / "t.csv", "--published", "--json").out
    assert json.loads(encode_study(decode_study(printed.encode(), "t"))) == json.loads(printed)


def test_page_says_what_intervals_are_over(study_file, tmp_path):
    def page_of(change):
        data = changed(study_file, tmp_path, change).read_bytes()
        found = decode_study(data, "x")
        assert decode_study(encode_study(found).encode(), "x") == found
        return Page(report_page(found, Sheets(), title="t")).text

    def of_an_older_version(values):
        for row in values["rows"]:
            del row["reduction_seeds"], row["val"]["interval_seeds"]
            for band in row["bands"].values():
                del band["interval_seeds"]
        for one in values["differences"]:
            del one["interval_seeds"]
        for name in ("val_clusters", "train_clusters", "seeds"):
            del values["bootstrap"][name]

    only = "over 4 images only: another training run moves numbers too"
    for change in (lambda values: None, of_an_older_version):
        text = page_of(change)
        assert f"95 % intervals {only}" in text
        assert f"The intervals are {only}." in text
        assert "50 resamples of the images, seed 0" in text

    def with_clusters_and_seeds(values):
        values["bootstrap"]["val_clusters"] = 3
        for row in values["rows"]:
            row["reduction_seeds"] = row["reduction_interval"] and 5
            for part in (row["val"], *row["bands"].values()):
                part["interval_seeds"] = 5
        for one in values["differences"]:
            one["interval_seeds"] = 5
            one["interval"] = [-0.1, 0.1]

    text = page_of(with_clusters_and_seeds)
    assert "95 % intervals over 3 clusters of 4 images, and 5 seeds" in text
    assert "The intervals are over 3 clusters of 4 images, and 5 seeds." in text
    assert "50 resamples of 3 clusters of validation images, seed 0" in text
    assert "Its lead over local may be a matter of the images or of the training runs." in text


def test_summary_says_what_the_numbers_say(study_file, tmp_path):
    found = decode_study(study_file.read_bytes(), "gap.json")
    (line,) = summary(found)
    rows = {row.key.name: row for row in found.rows}
    plain = line.replace("\xa0", " ")
    assert f"Full supervision reaches {100 * rows['full'].val.mean_iou:.1f} % mIoU" in plain
    assert "The best of 2 strategies, combined reaches" in plain
    assert f"closes {100 * rows['combined'].reduction:.1f} % of the gap (95 % interval [" in plain

    def worsen(values):
        for row in values["rows"]:
            if row["name"] in ("local", "combined"):
                row["miou"] = row["val"]["miou"] = 0.1
                row["reduction"] = -2.0

    worse = decode_study(changed(study_file, tmp_path, worsen).read_bytes(), "x")
    assert "closes none of the gap: its gap reduction is -200.0\xa0%" in summary(worse)[0]


def test_sheets_show_the_largest_differences(study_file):
    found = decode_study(study_file.read_bytes(), "gap.json")
    (plan,) = sheet_plans(found, 2)
    scored = {key.name: values for key, values in image_accuracies(found).items()}
    change = {stem: scored["combined"][stem] - scored["baseline"][stem] for stem in STEMS}
    ordered = sorted(STEMS, key=lambda stem: -change[stem])
    assert [stem for stem, *_ in plan.gains] == ordered[:2]
    assert [stem for stem, *_ in plan.losses] == ["d"] == ordered[-1:]
    assert list(plan.folders) == ["full", "baseline", "combined"]
    assert sheet_plans(found, 0) == []
    none = sheets_section(Sheets(why_none="why"))
    assert not none.content and none.missing == ["why"]


def test_seeds_count_by_their_mean(study_file, tmp_path):
    def add_seed(values):
        entry = next(one for one in values["labels"] if one["name"] == "combined")
        other = json.loads(json.dumps(entry["val"][0]))
        for scores in other["images"].values():
            scores["pixel_accuracy"] = 0.5
        other["images"]["b"]["pixel_accuracy"] = None
        entry["val"].append(other)

    before = image_accuracies(decode_study(study_file.read_bytes(), "x"))
    after = image_accuracies(
        decode_study(changed(study_file, tmp_path, add_seed).read_bytes(), "x")
    )
    (key,) = (key for key in before if key.name == "combined")
    assert set(after[key]) == {"a", "c", "d"}
    assert after[key]["a"] == pytest.approx((before[key]["a"] + 0.5) / 2)


@pytest.mark.slow
def test_many_strategies_and_groups(study_file, tmp_path):
    def multiply(values):
        rows, labels = [], []
        for group in ("one", "two"):
            for entry, target in ((values["rows"], rows), (values["labels"], labels)):
                target += [{**one, "group": group} for one in entry]
                extra = next(one for one in entry if one["name"] == "local")
                target += [{**extra, "group": group, "name": f"local{k}"} for k in range(6)]
        values["rows"], values["labels"], values["differences"] = rows, labels, []

    study = decode_study(changed(study_file, tmp_path, multiply).read_bytes(), "x")
    text = report_page(study, Sheets(), title="many")
    page = Page(text)
    assert page.text.count("Left out: bars of") == 2
    assert "IoU of each class; the best strategy is combined" in page.text
    groups = [a for name, a in page.elements if a.get("scope") == "rowgroup"]
    assert len(groups) == 2 * 3  # gap table, and both tables of bands
    bars = re.findall(r"<title>sky, (\w+): ", text)
    assert len(bars) == 2 * MOST_BARS and "combined" in bars


def test_thumbnail_keeps_its_shape():
    picture = np.random.default_rng(0).integers(0, 255, (90, 600, 3)).astype(np.uint8)
    assert thumbnail(picture, 200).shape == (30, 200, 3)
    assert thumbnail(picture[:, :100]) is not None and thumbnail(picture[:, :100]).shape == (
        90,
        100,
        3,
    )


def test_jpeg_keeps_colours():
    picture = np.zeros((16, 32, 3), np.uint8)
    picture[:, :16], picture[:, 16:] = voc_palette()[1], voc_palette()[2]
    back = decode_image(encode_jpeg(picture), "x.jpg").value
    assert np.abs(back.astype(int) - picture).max() < 16
