"""`score --volumes`: slices become volumes, which have Dice and HD95."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from wsstools.core.evaluation.volume_agreement import volume_agreement
from wsstools.formats.label_files import encode_labels
from wsstools.running.settings import JobSettings
from wsstools.steps.volume_scores import score_volumes

SHAPE = (12, 9, 11)
CASES = ("patient1_frame01", "patient1_frame12", "patient2_frame01")
VOLUMES = ("--volumes", r"patient\d+_frame\d+")


def write_slices(folder, case, volume):
    folder.mkdir(exist_ok=True)
    for k, plane in enumerate(volume):
        (folder / f"{case}_slice_{k}.png").write_bytes(encode_labels(plane, {}))


@pytest.fixture
def cases(tmp_path):
    """Folders labels/ and gt/ of three volumes of twelve slices, by case: (labels, gt)."""
    rng = np.random.default_rng(0)
    made = {}
    for case in CASES:
        gt = np.zeros(SHAPE, np.uint8)
        at = rng.integers(1, 4)
        gt[1:11, at : at + 5, 2:9], gt[3:9, at + 1 : at + 3, 4:7] = 1, 2
        gt[5, :2] = 255
        labels = np.roll(gt, (1, 2, -1), (0, 1, 2))
        made[case] = labels, gt
        write_slices(tmp_path / "labels", case, labels)
        write_slices(tmp_path / "gt", case, gt)
    (tmp_path / "gt" / "classes.txt").write_text("background\nring\nheart\nunused\n")
    return made


def test_volumes_have_the_figures_of_their_arrays(wss, cases, tmp_path):
    answer = json.loads(wss("score", tmp_path / "labels", tmp_path / "gt", *VOLUMES, "--json").out)
    assert list(answer["volumes"]) == list(CASES)
    for case, (labels, gt) in cases.items():
        expected = volume_agreement(labels, gt)
        assert answer["volumes"][case] == {
            "slices": 12,
            "classes": {
                name: {"dice": one.dice, "hd95": one.hd95, "only_in": None}
                for name, one in zip(("ring", "heart"), expected.classes.values(), strict=True)
            },
        }
    for name, means in answer["classes"].items():
        of_class = [volume["classes"][name] for volume in answer["volumes"].values()]
        assert means == {
            "dice": pytest.approx(np.mean([one["dice"] for one in of_class])),
            "hd95": pytest.approx(np.mean([one["hd95"] for one in of_class])),
            "volumes": 3,
            "only_in_gt": 0,
            "only_in_labels": 0,
        }
    for key in ("dice", "hd95"):
        means = [found[key] for found in answer["classes"].values()]
        assert answer[key] == pytest.approx(np.mean(means))
    assert (answer["spacing"], answer["absent"]) == (None, ["unused"])


def test_spacing_is_that_of_slices_rows_and_columns(wss, cases, tmp_path):
    arguments = (*VOLUMES, "--spacing", "10,1.5,1", "--format", "json")
    answer = json.loads(wss("score", tmp_path / "labels", tmp_path / "gt", *arguments).out)
    expected = volume_agreement(*cases[CASES[0]], (10, 1.5, 1)).classes[1]
    assert answer["volumes"][CASES[0]]["classes"]["ring"]["hd95"] == expected.hd95
    assert answer["spacing"] == [10, 1.5, 1]
    text = wss("score", tmp_path / "labels", tmp_path / "gt", *arguments[:4]).out
    assert "in the unit of --spacing 10,1.5,1" in text


def test_the_table_and_csv_say_what_json_says(wss, cases, tmp_path):
    (tmp_path / "few").write_text("".join(f"{CASES[0]}_slice_{k}\n" for k in range(12)))
    write_slices(tmp_path / "labels", CASES[0], np.minimum(cases[CASES[0]][0], 1))
    command = ("score", tmp_path / "labels", tmp_path / "gt", *VOLUMES, "--ids", tmp_path / "few")
    answer = json.loads(wss(*command, "--json").out)
    ring, heart = answer["classes"].values()
    assert (heart["dice"], heart["only_in_gt"]) == (0, 1)
    assert heart["hd95"] == pytest.approx(np.hypot(np.hypot(11, 8), 10))
    rows = list(csv.reader(io.StringIO(wss(*command, "--format", "csv").out)))
    assert rows == [
        ["volume", "class", "name", "dice", "hd95", "only_in"],
        ["", "", "", repr(answer["dice"]), repr(answer["hd95"]), ""],
        ["", "1", "ring", repr(ring["dice"]), repr(ring["hd95"]), ""],
        ["", "2", "heart", "0.0", repr(heart["hd95"]), ""],
        [CASES[0], "1", "ring", repr(ring["dice"]), repr(ring["hd95"]), ""],
        [CASES[0], "2", "heart", "0.0", repr(heart["hd95"]), "gt"],
    ]
    text = wss(*command).out
    assert "left out: class 0, the background\nleft out, in no volume: unused\n" in text
    lines = [line.split() for line in text.splitlines()]
    assert lines[0][:3] == ["mean", "Dice", f"{answer['dice']:.2%}"]
    assert lines[0][3:] == ["(2", "classes,", "1", "volumes,", "12", "slices)"]
    assert lines[1] == ["mean", "HD95", f"{answer['hd95']:.2f}", "pixels"]
    assert ["ring", f"{ring['dice']:.2%}", f"{ring['hd95']:.2f}", "1", "0", "0"] in lines
    assert [CASES[0], "heart", "0.00%", f"{heart['hd95']:.2f}", "gt"] in lines


def test_slices_are_in_the_order_of_their_numbers(wss, cases, tmp_path):
    """As text, slice_10 comes before slice_2."""
    labels, gt = np.zeros((2, *SHAPE), np.uint8)
    labels[2, 4, 4] = gt[10, 4, 4] = 1
    write_slices(tmp_path / "a", "x", labels)
    write_slices(tmp_path / "b", "x", gt)
    answer = json.loads(
        wss("score", tmp_path / "a", tmp_path / "b", "--volumes", "x", "--json").out
    )
    assert answer["hd95"] == 8


def test_missing_slices_are_reported_and_their_neighbours_meet(wss, cases, tmp_path):
    for folder in ("labels", "gt"):
        (tmp_path / folder / f"{CASES[1]}_slice_4.png").unlink()
    outcome = wss("score", tmp_path / "labels", tmp_path / "gt", *VOLUMES, "--json")
    assert f"numbers of slices are missing in 1 of 3 volumes: '{CASES[1]}'" in outcome.err
    labels, gt = (np.delete(volume, 4, axis=0) for volume in cases[CASES[1]])
    expected = volume_agreement(labels, gt).classes[1]
    found = json.loads(outcome.out)["volumes"][CASES[1]]
    assert found["slices"] == 11
    assert found["classes"]["ring"]["hd95"] == expected.hd95


def test_one_and_two_workers_and_a_pipe_print_the_same(wss, shell, cases, tmp_path):
    command = ("score", tmp_path / "labels", tmp_path / "gt", *VOLUMES, "--json", "--jobs")
    one = wss(*command, "1").out
    assert one == wss(*command, "2").out
    piped = shell(f"ls labels/*.png | wss score - gt --volumes '{VOLUMES[1]}' --json -j 1")
    assert piped.out == one


def test_a_file_names_the_volumes_and_a_group_is_enough(wss, cases, tmp_path):
    lines = [f"{case}_slice_{k},{case[7:]}\n" for case in CASES for k in range(12)]
    (tmp_path / "volumes.csv").write_text("".join(lines))
    for rule in (tmp_path / "volumes.csv", "^patient(.*)_slice"):
        outcome = wss("score", tmp_path / "labels", tmp_path / "gt", "--volumes", rule, "--json")
        assert list(json.loads(outcome.out)["volumes"]) == [case[7:] for case in CASES]


def test_sizes_that_differ_fail_by_name(wss, cases, tmp_path):
    for folder in ("labels", "gt"):
        plane = encode_labels(np.ones((9, 12), np.uint8), {})
        (tmp_path / folder / f"{CASES[2]}_slice_3.png").write_bytes(plane)
    outcome = wss("score", tmp_path / "labels", tmp_path / "gt", *VOLUMES)
    assert (outcome.code, outcome.out) == (1, "")
    assert f"{CASES[2]}: failed: " in outcome.err
    assert f"{CASES[2]}_slice_3.png has shape (9, 12), " in outcome.err
    assert f"{CASES[2]}_slice_0.png (9, 11) (H, W); expected slices of one size" in outcome.err


def test_a_slice_without_a_partner_fails_its_volume(wss, cases, tmp_path):
    (tmp_path / "gt" / f"{CASES[0]}_slice_2.png").unlink()
    outcome = wss("score", tmp_path / "labels", tmp_path / "gt", *VOLUMES)
    assert (outcome.code, outcome.out) == (1, "")
    assert f"{CASES[0]}: failed: {CASES[0]}_slice_2: no ground truth" in outcome.err
    (tmp_path / "labels" / f"{CASES[1]}_slice_2.png").unlink()
    outcome = wss("score", tmp_path / "labels", tmp_path / "gt", *VOLUMES)
    assert (outcome.code, outcome.out) == (1, "")
    assert "have no labels" in outcome.err


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (r"case\d+", f"{CASES[0]}_slice_0: no volume by --volumes case"),
        (
            r"patient\d+",
            f"{CASES[0]}_slice_0 and {CASES[1]}_slice_0 are both slice 0 (the last number in a "
            "name) of volume 'patient1'",
        ),
    ],
)
def test_names_that_do_not_fit_the_expression(wss, cases, tmp_path, rule, expected):
    outcome = wss("score", tmp_path / "labels", tmp_path / "gt", "--volumes", rule)
    assert (outcome.code, outcome.out) == (1, "")
    assert expected in outcome.err


def test_slices_need_numbers(wss, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for name in ("top", "tip"):
            (tmp_path / folder / f"{name}.png").write_bytes(
                encode_labels(np.eye(3, dtype="u1"), {})
            )
    outcome = wss("score", tmp_path / "a", tmp_path / "b", "--volumes", "t")
    assert outcome.code == 1
    assert "tip: no number in its name, by which slices are ordered" in outcome.err


def test_an_expression_that_matches_the_slice_is_warned_about(wss, cases, tmp_path):
    outcome = wss("score", tmp_path / "labels", tmp_path / "gt", "--volumes", ".+")
    assert outcome.code == 0
    assert "each of the 36 volumes has one slice; does --volumes .+ match" in outcome.err


def test_background_alone_has_no_figures(wss, tmp_path):
    for folder in ("a", "b"):
        write_slices(tmp_path / folder, "x", np.zeros((2, 3, 3), np.uint8))
    outcome = wss("score", tmp_path / "a", tmp_path / "b", "--volumes", "x")
    assert (outcome.code, outcome.out) == (1, "")
    assert "no class but 0, the background" in outcome.err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--spacing", "1,1,1"], "--spacing goes with --volumes"),
        (["--volumes", "x", "--format", "counts"], "--format counts does not go with --volumes"),
        (["--volumes", "x", "--format", "xml"], "--format xml: expected table, csv or json"),
        (["--volumes", "x", "--per-image"], "--per-image does not go with --volumes"),
        (["--volumes", "x", "--shard", "1/2"], "--shard does not go with --volumes"),
        (["--volumes", "("], "--volumes (: neither a file nor a regular expression"),
        (["--volumes", "x", "--spacing", "1,1"], "--spacing 1,1: expected three numbers Z,Y,X"),
        (["--volumes", "x", "--spacing", "1,0,1"], "--spacing 1,0,1: expected three numbers"),
        (["--volumes", "x", "--spacing", "1,nan,1"], "--spacing 1,nan,1: expected three numbers"),
        (["--volumes", "x", "--spacing", "1,inf,1"], "--spacing 1,inf,1: expected three numbers"),
        (["--volumes", "x", "--spacing", "1,a,1"], "--spacing 1,a,1: expected numbers"),
    ],
)
def test_options_that_do_not_go_together(wss, cases, tmp_path, options, expected):
    outcome = wss("score", tmp_path / "labels", tmp_path / "gt", *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert expected in outcome.err


def test_volumes_are_scored_from_python(cases, tmp_path):
    run = JobSettings(jobs=1, ids=[f"{CASES[2]}_slice_{k}" for k in range(12)])
    found = score_volumes(
        str(tmp_path / "labels"), str(tmp_path / "gt"), volumes="^[^_]+", spacing=(2, 1, 1), run=run
    )
    assert found.volumes == {"patient2": volume_agreement(*cases[CASES[2]], (2, 1, 1))}
    assert found.class_names == ["background", "ring", "heart", "unused"]


@pytest.mark.shared
def test_a_shift_by_a_pixel_in_acdc_is_a_distance_of_one(wss, shared, tmp_path):
    from wsstools.formats.label_files import decode_labels

    folders = tmp_path / "labels", tmp_path / "gt"
    for folder in folders:
        folder.mkdir()
    for path in (shared / "data" / "acdc" / "gt").glob("patient021_frame01_*.png"):
        gt = decode_labels(path.read_bytes(), "").value
        for folder, plane in zip(folders, (np.roll(gt, 1, axis=1), gt), strict=True):
            (folder / path.name).write_bytes(encode_labels(plane, {}))
    answer = json.loads(wss("score", *folders, *VOLUMES, "--spacing", "10,1.5,1.4", "--json").out)
    assert answer["volumes"].keys() == {"patient021_frame01"}
    assert [found["hd95"] for found in answer["classes"].values()] == pytest.approx([1.4] * 3)
