"""The studies in examples/: their commands exist, are in order, and run."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import REPOSITORY, environment_without_make, labels_of
from PIL import Image
from scipy.io import savemat
from scipy.sparse import csc_matrix

from wsstools.cli.main import command_names, load_command
from wsstools.core.palette import voc_palette
from wsstools.core.scribbles.class_names import VOC_CLASSES
from wsstools.nn.training.schedules import SCHEDULES

EXAMPLES = REPOSITORY / "examples"
STUDIES = ("voc", "camvid", "acdc")
TARGETS = ("table", "table1", "table2", "pfa", "figures", "report")
ROWS = (
    "local", "local-potts", "global-potts", "global-crf",
    "combined", "combined-potts", "combined-crf",
)  # fmt: skip
NEEDED = ("make", "bash", "awk")

pytestmark = pytest.mark.skipif(
    not EXAMPLES.is_dir() or any(shutil.which(name) is None for name in NEEDED),
    reason="no examples here, or no make",
)


def make(example: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """What `make` prints and gives in an example's folder, without make's own environment."""
    return subprocess.run(
        ["make", *map(str, arguments)],
        cwd=EXAMPLES / example,
        capture_output=True,
        text=True,
        env=environment_without_make(),
        check=False,
        **options,
    )


loaded = functools.cache(load_command)


@dataclass(frozen=True)
class Command:
    """A command of a recipe: its name, its words and what the parser of the real one makes."""

    name: str
    words: list[str]
    given: dict[str, Any]


def simple_commands(script: str) -> Iterator[list[str]]:
    """The words of each simple command in a script of bash, as far as recipes go."""
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split, lexer.commenters = True, ""
        words: list[str] = []
        for word in lexer:
            if set(word) <= set("|;&(){}<>"):
                yield words
                words = []
            else:
                words.append(word)
        yield words


def planned(example: str, *arguments: object) -> list[Command]:
    """The `wss` commands that `make -n` shows, each parsed by the real command."""
    done = make(example, "-n", "WSS=wss", "DATA=data", "OUT=planned", *arguments)
    assert done.returncode == 0, done.stderr
    found = []
    for words in simple_commands(done.stdout):
        if words[:1] == ["wss"]:
            name, *rest = words[1:]
            assert name in command_names(), f"no command {name}"
            context = loaded(name).make_context(name, list(rest))
            found.append(Command(name, rest, context.params))
    return found


@pytest.fixture(scope="module", params=STUDIES)
def whole(request) -> tuple[str, list[Command]]:
    """All commands of a study, with two seeds and both kinds of scribbles."""
    wanted = ("SEEDS=0 1", "SCRIBBLES=original curated")
    return request.param, planned(request.param, *TARGETS, *wanted)


def test_every_step_of_the_study_is_there(whole):
    assert {command.name for command in whole[1]} == {
        *("rf-predict", "train", "global-predict", "fuse", "regularize", "argmax", "curate"),
        "local-predict",  # whose labels give class shares
        *("score", "eval-gap", "show", "compare", "report"),
        *(["scribbles"] if whole[0] == "voc" else []),
    }


def test_what_a_command_reads_was_written_before(whole):
    assert_made_before(whole[1])


@pytest.mark.parametrize("kind", ["original", "curated"])
def test_rows_beyond_the_paper_are_made_when_asked_for(kind):
    """Three annotators, their mean with other class shares, the CRF; nothing of other rows."""
    commands = planned("voc", "extended-crf", "ROWS=extended-crf", f"SCRIBBLES={kind}")
    assert_made_before(commands)
    made = [Path(c.given["out"]).parent.name for c in commands if c.name == "train"]
    assert sorted(made) == ["baseline", "extended-crf"]
    (fused,) = [c for c in commands if c.name == "fuse" and "--weights" in c.words]
    parents = [Path(word).parent.name for word in fused.words if word.endswith("/maps")]
    assert parents == ["local", "local-walker", "global"]
    (adjusted,) = [c for c in commands if c.name == "adjust-prior"]
    assert (
        adjusted.words[adjusted.words.index("--to") + 1] == f"planned/{kind}/local/0/local-mean/pfa"
    )


def test_the_recipe_fuses_its_annotators():
    commands = planned("acdc", "recipe-crf", "ROWS=recipe-crf")
    assert_made_before(commands)
    made = [Path(c.given["out"]).parent.name for c in commands if c.name == "train"]
    assert sorted(made) == ["baseline", "recipe-crf"]
    (linear,) = [c for c in commands if "--features-of" in c.words]
    assert linear.words[linear.words.index("--features-of") + 1].endswith("/baseline/net.pt")
    (fused,) = [c for c in commands if c.name == "fuse" and "recipe" in c.given["out"]]
    parents = [Path(word).parent.name for word in fused.words if word.endswith("/maps")]
    assert parents[:-1] == ["local", "global", "linear", "local-walker"]
    assert parents[-1] == "recipe"


def test_learned_fusion_sees_the_ground_truth_of_few_images():
    commands = planned("camvid", "learned-crf")
    assert_made_before(commands)
    (tuned,) = [c for c in commands if c.name == "tune"]
    assert tuned.given["ids"] == "planned/tuning.txt" and tuned.given["sample"] == 20
    (fused,) = [c for c in commands if c.name == "fuse"]
    assert fused.given["params"] == f"{tuned.given['out']}/params.json"
    parents = [
        [Path(w).parent.name for w in c.words if w.endswith("/maps")] for c in (tuned, fused)
    ]
    assert parents[0] == parents[1][:-1] == ["local", "global", "linear", "local-walker"]


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [("borders", "within", 4), ("inside", "beyond", 4), ("surfaces", "classes", "road,pavement")],
)
def test_an_oracle_corrects_the_labels_of_the_recipe(name, option, value):
    commands = planned("camvid", f"oracle-{name}")
    assert_made_before(commands)
    (curated,) = [c for c in commands if c.name == "curate"]
    assert curated.given[option] == value and curated.given["out"].endswith(f"oracle-{name}/pfa")
    made = [Path(c.given["out"]).parent.name for c in commands if c.name == "train"]
    assert sorted(made) == ["baseline", f"oracle-{name}"]


def test_the_tables_show_what_adjusted_class_shares_are_worth():
    wanted = ("ROWS=combined", "TABLE2_ROWS=combined", "SHARES_POWER=0.25")
    commands = planned("acdc", "table", *wanted)
    assert_made_before(commands)
    adjusted = [c.given for c in commands if c.name == "global-predict" and c.given["wanted"]]
    assert {given["power"] for given in adjusted} == {0.25}
    labels = "planned/original/deeplabv2-mobilenetv2/0/combined/pfa"
    shares = ("planned/original/local/0/local-mean/pfa", "planned/true-shares")
    assert [(given["learned"], given["wanted"]) for given in adjusted] == [
        (None, "training"), ("data/scribbles", shares[0]), (labels, shares[0]),
        (None, "training"), ("data/scribbles", shares[1]), (labels, shares[1]),
    ]  # fmt: skip


def assert_made_before(commands):
    """Every path below OUT that a command names is an output of an earlier one."""
    written = {"planned/true-shares", "planned/tuning.txt"}  # links and names, by the shell
    for command in commands:
        out = command.given.get("out")
        read = {
            place
            for word in command.words
            for place in word.rpartition("=")[2].split(",")
            if place.startswith("planned/") and place != out and not place.endswith(".csv")
        }
        if command.name == "report":
            read.discard("planned/gap.json")  # written by the shell, from eval-gap
        read = {place.removesuffix("/params.json") for place in read}
        assert read <= written, f"{command.words}: nothing writes {read - written}"
        if out is not None:
            written.add(out)


def test_each_network_is_trained_once_on_labels_of_its_own(whole):
    commands = whole[1]
    models = [command.given["out"] for command in commands if command.name == "train"]
    assert len(set(models)) == len(models)
    archs = {command.given["arch"] for command in commands if command.name == "train"}
    others = len(archs) - 1
    # Full and, for both kinds of scribbles, the baseline and the rows; twice for two seeds.
    assert len(models) == 2 * (1 + 2 * (1 + len(ROWS)) + others * (1 + 2 * 2))
    labels = {(c.given["arch"], c.given["seed"], c.given["labels"])
              for c in commands if c.name == "train"}  # fmt: skip
    assert len(labels) == len(models)
    assert archs <= SCHEDULES.keys()


def test_the_steps_of_both_annotator_models(whole):
    """Local maps once per kind of scribbles and seed; lambda as the paper has it, but for ACDC."""
    example, commands = whole
    local = [c.given["out"] for c in commands if c.name == "rf-predict"]
    assert sorted(local) == [
        f"planned/{kind}/local/{seed}/local/maps" for kind in ("curated", "original")
        for seed in (0, 1)
    ]  # fmt: skip
    lambdas = {
        Path(c.given["out"]).parent.name: c.words[c.words.index("--lambda") + 1]
        for c in commands
        if c.name == "regularize" and "--potts" in c.words
    }
    assert lambdas == {
        "local-potts": "10",
        "global-potts": "10" if example == "acdc" else "50",
        "combined-potts": "10",
    }


def test_the_schedules_of_voc_are_the_published_ones():
    ours = {"deeplabv2-mobilenetv2", "unet"}  # or of heart scans
    archs = " ".join(arch for arch in SCHEDULES if arch not in ours)
    commands = [c for c in planned("voc", "table2", f"ARCHS={archs}") if c.name == "train"]
    assert len(commands) == len(archs.split()) * 5
    names = {field.name for field in dataclasses.fields(SCHEDULES["pspnet-resnet50"])}
    for command in commands:
        given = {k: v for k, v in command.given.items() if k in names and v is not None}
        published = dataclasses.asdict(SCHEDULES[command.given["arch"]])
        assert len(given) > 8
        assert given == {name: published[name] for name in given}


def test_rows_of_boxes_are_trained_on_labels_of_boxes_and_corrected_once():
    commands = planned("camvid", "boxes-2", "ROWS=boxes boxes-2")
    assert_made_before(commands)
    made = [(c.name, c.given["out"].removeprefix("planned/original/")) for c in commands]
    root = "deeplabv2-mobilenetv2/0"
    assert made[:7] == [
        ("scribbles", f"{root}/boxes/pfa"),
        ("train", f"{root}/boxes/net.pt"),
        ("global-predict", f"{root}/boxes-2/global"),
        ("regularize", f"{root}/boxes-2/maps"),
        ("argmax", f"{root}/boxes-2/predicted"),
        ("denoise", f"{root}/boxes-2/pfa"),
        ("train", f"{root}/boxes-2/net.pt"),
    ]
    labels = [c.given["labels"] for c in commands if c.name == "train"]
    assert labels == [f"planned/original/{root}/{row}/pfa" for row in ("boxes", "boxes-2")]


@pytest.mark.parametrize("example", STUDIES)
@pytest.mark.parametrize("target", ["full", "baseline", *ROWS, "data", "smoke", "tidy", "clean"])
def test_every_target_parses(example, target):
    planned(example, target)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_makes_no_other_row(row):
    models = {Path(c.given["out"]).parent.name for c in planned("camvid", row)
              if c.name == "train"}  # fmt: skip
    assert models - {"baseline"} == {row}
    assert ("baseline" in models) == (not row.startswith("local"))


@pytest.mark.parametrize(
    ("block", "msc", "crf"),
    [("pspnet-resnet50", False, False), ("pspnet-resnet50+msc", True, False),
     ("pspnet-resnet50+crf", False, True), ("pspnet-resnet50+msc+crf", True, True)],
)  # fmt: skip
def test_a_block_of_table_2_is_tested_as_its_name_says(block, msc, crf):
    commands = planned("voc", block, "SCRIBBLES=original")
    assert {c.given["arch"] for c in commands if c.name == "train"} == {"pspnet-resnet50"}
    tested = [c for c in commands if c.name == "argmax" and "/val" in c.given["out"]]
    last = {Path(c.given["out"]).parent.name for c in tested}
    assert f"val{block.removeprefix('pspnet-resnet50')}" in last
    shown = [c for c in commands if c.name == "global-predict" and "/val" in c.given["out"]]
    assert all(c.given["msc"] == msc for c in shown)
    refined = [c for c in commands if c.name == "regularize" and "/val" in c.given["out"]]
    assert len(refined) == (3 if crf else 0)


@pytest.mark.parametrize("example", [*STUDIES, "demo"])
def test_help_lists_the_targets_with_a_line_each(example):
    """Without DATA; every target that it names is one."""
    done = make(example, "help")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [re.split(r"   +", line, maxsplit=1) for line in done.stdout.splitlines()]
    assert all(len(line) == 2 and line[0].startswith("make") for line in lines), lines
    named = {word for line, _ in lines for word in line.split()[1:] if word == word.lower()}
    assert {"help", "clean"} <= named
    assert example == "demo" or {"table1", "table2", "smoke", "data"} <= named
    for target in named:
        assert make(example, "-n", target, "DATA=data", "OUT=planned").returncode == 0


def test_data_is_asked_for():
    done = make("camvid", "-n", "table")
    assert done.returncode != 0
    assert "give DATA=" in done.stderr


def test_the_study_file_names_the_folders(tmp_path):
    """Seeds are joined, groups are named, and a second run leaves the file as it is."""
    out = tmp_path / "out"
    arguments = ("DATA=data", f"OUT={out}", "SEEDS=0 3", "SCRIBBLES=original curated")
    for _ in range(2):
        done = make("voc", *arguments, f"{out}/table2.csv")
        assert done.returncode == 0, done.stderr
    lines = (out / "table2.csv").read_text().splitlines()
    assert lines[0].startswith("# wss eval-gap --gt data/gt")
    rows = list(csv.DictReader(lines[1:]))
    assert len(rows) == 2 * 3 * 4 * 3
    groups = Counter(row["group"] for row in rows)
    assert set(groups.values()) == {3}
    assert "curated/pspnet-resnet101+msc+crf" in groups
    row = next(r for r in rows if r["group"] == "pspnet-resnet50+crf" and r["name"] == "combined")
    home = "original/pspnet-resnet50"
    assert row["val"] == ",".join(f"{home}/{n}/combined/val+crf/labels" for n in (0, 3))
    assert row["pfa"] == ",".join(f"{home}/{n}/combined/pfa" for n in (0, 3))
    written = (out / "table2.csv").stat().st_mtime_ns
    assert make("voc", *arguments, f"{out}/table2.csv").returncode == 0
    assert (out / "table2.csv").stat().st_mtime_ns == written


def test_clean_deletes_results_and_never_data(dataset, tmp_path):
    out = tmp_path / "out"
    (out / "full").mkdir(parents=True)
    data = tmp_path / "data"
    shutil.copytree(dataset, data)
    for wrong in (data, tmp_path):
        done = make("camvid", "clean", f"DATA={data}", f"OUT={wrong}")
        assert done.returncode != 0
        assert "not deleted" in done.stdout
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    assert make("camvid", "clean", f"DATA={data}", f"OUT={link}/").returncode != 0
    assert make("camvid", "clean", f"OUT={data}").returncode != 0
    assert (data / "images").is_dir()
    done = make("camvid", "clean", f"DATA={data}", f"OUT={out}")
    assert done.returncode == 0, done.stdout
    assert not out.exists() and (data / "images").is_dir()


def test_tidy_deletes_the_maps_of_predictions_alone(tmp_path):
    kept = ["original/net/0/combined/maps", "original/net/0/combined/val/labels"]
    gone = [f"original/net/0/combined/{part}/maps" for part in ("val", "val+msc+crf", "train")]
    gone.append("full/net/0/val/maps")
    for place in (*kept, *gone):
        (tmp_path / place).mkdir(parents=True)
    assert make("camvid", "tidy", "DATA=data", f"OUT={tmp_path}").returncode == 0
    assert [(tmp_path / place).exists() for place in (*kept, *gone)] == [True] * 2 + [False] * 4


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Path:
    """A small data set, drawn."""
    from wsstools.cli.main import run

    data = tmp_path_factory.mktemp("scenes") / "data"
    assert run(["demo-data", "-o", str(data), "--n-train", "4", "--n-val", "3"]) == 0
    return data


@pytest.mark.slow
def test_the_whole_study_runs(scenes, program, tmp_path):
    """Both tables, figures and the report; then everything is up to date."""
    arguments = (
        "smoke", f"DATA={scenes}", f"OUT={tmp_path}", "JOBS=1", "SMOKE_TRAIN=3", "SMOKE_VAL=2",
        f"WSS={program}",
        "SMOKE_OPTIONS=--iterations 1 --batch 2 --crop 33 --precision float32",
        "ROWS=combined recipe-crf", "SCRIBBLES=curated", "TESTS=plain +msc+crf",
        "SHARES=+shares",
    )  # fmt: skip
    done = make("camvid", *arguments)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    out = tmp_path / "smoke"
    found = json.loads((out / "gap.json").read_text())
    names: dict[str, list[str]] = {}
    for row in found["rows"]:
        names.setdefault(row["group"], []).append(row["name"])
    assert names == {
        "curated/deeplabv2-mobilenetv2": ["full", "baseline", "combined", "recipe-crf"],
        "curated/deeplabv2-mobilenetv2+shares": ["full", "baseline", "combined"],
        "curated/deeplabv2-mobilenetv2+msc+crf": ["full", "baseline", "combined"],
    }
    assert len(found["images"]["val"]) == 2 and len(found["images"]["train"]) == 3
    assert "combined" in (out / "table1.txt").read_text()
    assert (out / "report.html").read_text().lower().startswith("<!doctype html>")
    assert (out / "figures" / "curated" / "combined" / "compare.csv").is_file()
    assert (out / "figures" / "curated" / "labels.png").is_file()
    again = make("camvid", *arguments)
    assert again.returncode == 0, again.stderr
    assert not {"train", "argmax", "eval-gap"} & {
        words[1] for words in simple_commands(again.stdout) if words[:1] == [str(program)]
    }


# --- The data of PASCAL VOC, from archives of the real form.

SIZE = (30, 40)
TRAIN, VAL = ("2007_000001", "2007_000002"), ("2007_000003",)
SBD_TRAIN, SBD_VAL = ("2007_000001", "2008_000004"), ("2007_000003", "2008_000005")
EVERY = sorted({*TRAIN, *VAL, *SBD_TRAIN, *SBD_VAL})


def voc_labels(seed: int) -> np.ndarray:
    labels = np.zeros(SIZE, np.uint8)
    labels[8:20, 10 + seed : 30] = 1 + seed
    return labels


def jpeg(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (*SIZE, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def voc_png(seed: int) -> bytes:
    """Labels as VOC has them: palette, and 255 along the borders."""
    labels = voc_labels(seed)
    labels[7:9, :] = 255
    picture = Image.fromarray(labels)
    picture.putpalette(voc_palette().ravel().tolist())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def sbd_mat(labels: np.ndarray) -> bytes:
    """Labels as SBD has them: a struct with the boundaries of each class beside."""
    boundaries = np.empty((20, 1), object)
    for k in range(20):
        boundaries[k, 0] = csc_matrix(labels == k + 1)
    held = {
        "Boundaries": boundaries,
        "Segmentation": labels,
        "CategoriesPresent": np.unique(labels[labels > 0])[:, None],
    }
    buffer = io.BytesIO()
    savemat(buffer, {"GTcls": held}, do_compression=True)
    return buffer.getvalue()


def scribble_xml(name: str) -> str:
    def stroke(tag: str, *points: tuple[int, int]) -> str:
        inside = "".join(f"<point><X>{x}</X><Y>{y}</Y></point>" for x, y in points)
        return f"<polygon><tag>{tag}</tag>{inside}</polygon>"

    height, width = SIZE
    return (
        f"<annotation><folder>anno</folder><filename>{name}.png</filename>"
        f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
        f"<segmented>1</segmented>{stroke('background', (2, 26), (30, 26))}"
        f"{stroke('plane', (20, 14), (27, 14))}</annotation>"
    )


def archive(path: Path, files: dict[str, bytes], mode: str) -> None:
    with tarfile.open(path, mode) as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mtime = 1_337_000_000
            tar.addfile(entry, io.BytesIO(data))


@pytest.fixture
def published(tmp_path) -> Path:
    """Archives of the form of VOCtrainval, SBD's benchmark.tgz and ScribbleSup's."""
    root = tmp_path / "published"
    root.mkdir()
    voc, sbd = "VOCdevkit/VOC2012", "benchmark_RELEASE/dataset"

    def listed(names: tuple[str, ...]) -> bytes:
        return "".join(f"{name}\n" for name in names).encode()

    files = {f"{voc}/JPEGImages/{name}.jpg": jpeg(k) for k, name in enumerate(EVERY)}
    files[f"{voc}/JPEGImages/2012_009999.jpg"] = jpeg(9)  # has no labels
    for k, name in enumerate((*TRAIN, *VAL)):
        files[f"{voc}/SegmentationClass/{name}.png"] = voc_png(k)
    files[f"{voc}/ImageSets/Segmentation/train.txt"] = listed(TRAIN)
    files[f"{voc}/ImageSets/Segmentation/val.txt"] = listed(VAL)
    archive(root / "voc.tar", files, "w")
    files = {f"{sbd}/cls/{name}.mat": sbd_mat(voc_labels(5)) for name in (*SBD_TRAIN, *SBD_VAL)}
    files |= {f"{sbd}/train.txt": listed(SBD_TRAIN), f"{sbd}/val.txt": listed(SBD_VAL)}
    archive(root / "sbd.tgz", files, "w:gz")
    with zipfile.ZipFile(root / "scribbles.zip", "w") as zipped:
        for name in EVERY:
            zipped.writestr(f"scribble_annotation/pascal_2012/{name}.xml", scribble_xml(name))
        zipped.writestr("scribble_annotation/readme.txt", "text")
    return root


def voc_arguments(published: Path, data: Path) -> list[str]:
    sums = {name: md5((published / name).read_bytes()).hexdigest() for name in
            ("voc.tar", "sbd.tgz")}  # fmt: skip
    return [
        f"DATA={data}", "JOBS=1", f"WSS={sys.executable} -m wsstools", f"PYTHON={sys.executable}",
        f"VOC_URL=file://{published}/voc.tar", f"VOC_MD5={sums['voc.tar']}",
        f"SBD_URL=file://{published}/sbd.tgz", f"SBD_MD5={sums['sbd.tgz']}",
        f"SCRIBBLESUP_URL=file://{published}/scribbles.zip",
    ]  # fmt: skip


needs_fetching = pytest.mark.skipif(
    any(shutil.which(name) is None for name in ("curl", "md5sum", "tar")),
    reason="no curl, md5sum or tar",
)


@needs_fetching
@pytest.mark.slow
def test_the_data_of_voc_are_fetched_and_converted(published, tmp_path):
    data = tmp_path / "data"
    arguments = voc_arguments(published, data)
    done = make("voc", "data", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    announced = done.stdout.index("fetching VOCtrainval_11-May-2012.tar, 2.0 GB of 3.4 GB")
    assert announced < done.stdout.index("curl")
    train = (data / "train.txt").read_text().split()
    assert train == ["2007_000001", "2007_000002", "2008_000004", "2008_000005"]
    assert (data / "val.txt").read_text().split() == list(VAL)
    assert (data / "classes.txt").read_text().split() == list(VOC_CLASSES)
    assert (data / "images" / "2008_000004.jpg").is_file()
    assert {path.stem for path in (data / "gt").glob("*.png")} == {*train, *VAL}
    for k, name in enumerate((*TRAIN, *VAL)):  # VOC's own labels win over SBD's
        expected = voc_labels(k)
        expected[7:9, :] = 255
        np.testing.assert_array_equal(labels_of(data / "gt" / f"{name}.png"), expected)
    for name in ("2008_000004", "2008_000005"):
        np.testing.assert_array_equal(labels_of(data / "gt" / f"{name}.png"), voc_labels(5))
    assert {path.stem for path in (data / "scribbles").glob("*.png")} == set(train)
    drawn = labels_of(data / "scribbles" / "2007_000002.png")
    assert drawn.shape == SIZE and drawn[26, 10] == 0 and drawn[14, 22] == 1 and drawn[0, 0] == 255
    again = make("voc", "data", *arguments)
    assert again.returncode == 0
    assert "wss" not in again.stdout and "curl" not in again.stdout
    shutil.rmtree(data / "archives")  # what was unpacked does not need them
    assert "curl" not in make("voc", "-n", "table1", *arguments, f"OUT={tmp_path}/out").stdout


@needs_fetching
@pytest.mark.slow
def test_the_subset_of_voc_has_seven_classes_scribbles_and_points(published, tmp_path):
    data = tmp_path / "data"
    names = tmp_path / "names"
    names.mkdir()
    (names / "train.txt").write_text("2007_000001\n2008_000004\n")
    (names / "val.txt").write_text("2007_000003\n")
    dots = [{"x": 20, "y": 14, "cls": 8, "rank": 0}, {"x": 3, "y": 3, "cls": 0}]
    points = tmp_path / "points.json"
    points.write_text(json.dumps({"2007_000001": dots, "2008_000004": [{**dots[0], "cls": 2}]}))
    arguments = [*voc_arguments(published, data), "SUBSET=animals"]
    arguments += [f"NAMES={names}", f"POINTS={points}"]
    done = make("voc", "data", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "scribble_annotation.zip" not in done.stdout
    assert len((data / "classes.txt").read_text().split()) == 7
    truth = voc_labels(0)
    truth[7:9, :] = 255
    truth[truth == 1] = 255  # an aeroplane
    np.testing.assert_array_equal(labels_of(data / "gt" / "2007_000001.png"), truth)
    assert set(np.unique(labels_of(data / "gt" / "2008_000004.png"))) == {0, 255}
    assert {path.stem for path in (data / "gt").glob("*.png")} == {
        "2007_000001", "2007_000003", "2008_000004",
    }  # fmt: skip
    strokes = labels_of(data / "scribbles" / "2008_000004.png")
    assert set(np.unique(strokes)) == {0, 255}
    clicked = labels_of(data / "points" / "2007_000001.png")
    assert (clicked[13:16, 19:22] == 1).all() and (clicked[2:5, 2:5] == 0).all()
    assert (clicked != 255).sum() == 18
    assert (labels_of(data / "points" / "2008_000004.png") == 255).all()
    again = make("voc", "data", *arguments)
    assert again.returncode == 0 and "wss" not in again.stdout


def test_the_subset_of_voc_keeps_seven_of_its_classes_and_has_two_kinds_of_annotation():
    commands = planned("voc", "table1", "SUBSET=animals", "POINTS=Makefile")
    (remap,) = {c.given["remap"] for c in commands if c.given.get("remap")}
    given = dict(pair.split("=") for pair in remap.split(","))
    kept = [VOC_CLASSES[int(old)] for old, new in given.items() if new != "255"]
    assert kept == ["background", "cat", "cow", "dog", "horse", "person", "sheep"]
    assert [new for new in given.values() if new != "255"] == list("0123456")
    assert sorted(map(int, given)) == list(range(21))
    trained = {c.given["labels"] for c in commands if c.name == "train"}
    assert {"data/gt", "data/scribbles", "data/points"} < trained
    for name in ("train", "val"):
        listed = (EXAMPLES / "voc" / "animals" / f"{name}.txt").read_text().split()
        assert listed == sorted(set(listed))
        assert len(listed) == {"train": 581, "val": 150}[name]


@needs_fetching
def test_an_archive_with_another_checksum_is_refused(published, tmp_path):
    data = tmp_path / "data"
    arguments = voc_arguments(published, data)
    (data / "archives").mkdir(parents=True)
    (data / "archives" / "benchmark.tgz").write_bytes(b"no archive")
    done = make("voc", "data", *arguments)
    assert done.returncode != 0
    assert "benchmark.tgz and fetch it anew" in done.stdout
    assert not (data / "source" / "benchmark_RELEASE").exists()
    assert not (data / "train.txt").exists()


@needs_fetching
def test_an_archive_that_cannot_be_fetched_is_reported(published, tmp_path):
    (published / "scribbles.zip").unlink()
    data = tmp_path / "data"
    done = make("voc", "data", *voc_arguments(published, data), "CURL=curl --silent --fail")
    assert done.returncode != 0
    assert "scribble_annotation.zip by hand" in done.stdout
