"""Whether an output belongs to a run, and whether it is up to date."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from builders import META, STEMS, by_pillow, folder_bytes, npz
from PIL.PngImagePlugin import PngInfo

from wsstools.errors import UsageError
from wsstools.files import provenance
from wsstools.files.provenance import (
    MOST_STEPS,
    Origin,
    input_record,
    parse_record,
    record_text,
)
from wsstools.formats import map_files
from wsstools.running.step import Step
from wsstools.steps import fuse as fuse_step

INPUTS = [input_record("map", "a.npz", "00"), input_record("map", "b.npz", "11")]
ORIGIN = Origin("fuse", {"weights": [1, 2]})


def made_by(origin: Origin, inputs=INPUTS):
    return origin.record(kind="prob", stem="a", inputs=inputs)


def is_refused(origin: Origin, meta, tmp_path) -> bool:
    try:
        origin.refuse_other_run(tmp_path / "a.npz", meta)
    except UsageError:
        return True
    return False


def test_a_refusal_names_the_file_the_reason_and_the_way_out(tmp_path):
    with pytest.raises(UsageError) as refusal:
        ORIGIN.refuse_other_run(tmp_path / "a.npz", made_by(Origin("fuse", {"weights": [1, 1]})))
    assert str(refusal.value) == (
        f"{tmp_path}/a.npz exists and it was made with other options: weights [1, 1] (now [1, 2]); "
        "write to another place, or give --overwrite"
    )


def test_a_refusal_does_not_print_nested_values(tmp_path):
    theirs = made_by(Origin("fuse", {"columns": [["", None]], "opacity": None}))
    with pytest.raises(UsageError, match=r"options: columns \(others\), opacity none \(now 0.5\);"):
        Origin("fuse", {"columns": [["diff", 1]], "opacity": 0.5}).refuse_other_run(
            tmp_path, theirs
        )


def test_an_output_of_the_same_run_is_up_to_date(tmp_path):
    assert ORIGIN.is_up_to_date(made_by(ORIGIN), INPUTS)
    assert not is_refused(ORIGIN, made_by(ORIGIN), tmp_path)


def test_a_record_without_revision_is_of_revision_1():
    assert "revision" not in made_by(ORIGIN)
    assert ORIGIN.revision == 1
    assert ORIGIN.is_up_to_date({**made_by(ORIGIN), "revision": 1}, INPUTS)
    assert made_by(replace(ORIGIN, revision=2))["revision"] == 2


@pytest.mark.parametrize(("then", "now"), [(1, 2), (2, 3), (2, 1)])
def test_outputs_of_another_revision_are_stale_and_not_refused(tmp_path, then, now):
    meta, origin = made_by(replace(ORIGIN, revision=then)), replace(ORIGIN, revision=now)
    assert not origin.is_up_to_date(meta, INPUTS)
    assert not is_refused(origin, meta, tmp_path)
    assert origin.is_up_to_date(made_by(origin), INPUTS)


@pytest.mark.parametrize("inputs", [[], INPUTS[:1], INPUTS[::-1], [INPUTS[0], INPUTS[0]]])
def test_other_inputs_make_an_output_stale(tmp_path, inputs):
    assert not ORIGIN.is_up_to_date(made_by(ORIGIN, inputs), INPUTS)
    assert not is_refused(ORIGIN, made_by(ORIGIN, inputs), tmp_path)


def test_the_names_of_inputs_and_what_made_them_do_not_matter():
    renamed = [{**entry, "name": "x", "made_by": made_by(ORIGIN)} for entry in INPUTS]
    assert ORIGIN.is_up_to_date(made_by(ORIGIN, renamed), INPUTS)


@pytest.mark.parametrize(
    "other",
    [
        Origin("argmax", ORIGIN.options),
        Origin("fuse", {"weights": [2, 1]}),
        Origin("fuse", {"weights": [1, 2], "more": 1}),
        Origin("fuse", {"weights": [1, 2], "more": None}),
    ],
)
def test_outputs_of_another_step_or_other_options_are_refused(tmp_path, other):
    assert is_refused(ORIGIN, made_by(other), tmp_path)
    assert not ORIGIN.is_up_to_date(made_by(other), INPUTS)


def test_an_output_that_lacks_a_recorded_option_is_stale_and_not_refused(tmp_path):
    older = made_by(Origin("fuse", {}))
    assert not ORIGIN.is_up_to_date(older, INPUTS)
    assert not is_refused(ORIGIN, older, tmp_path)


def test_files_that_wss_did_not_make_are_refused(tmp_path):
    assert is_refused(ORIGIN, None, tmp_path)
    assert not ORIGIN.is_up_to_date(None, INPUTS)
    assert parse_record('{"step": "fuse"}') is None


def test_an_option_that_a_step_lost_counts_as_absent_at_its_default_alone(tmp_path):
    now = replace(ORIGIN, removed={"engine": "fast"})
    for engine, is_ours in (("fast", True), ("slow", False)):
        then = made_by(replace(ORIGIN, options={**ORIGIN.options, "engine": engine}))
        assert now.is_up_to_date(then, INPUTS) == is_ours
        assert is_refused(now, then, tmp_path) != is_ours
    assert now.is_up_to_date(made_by(ORIGIN), INPUTS)
    assert "engine" not in made_by(now)["options"]


def test_a_later_option_is_recorded_where_it_is_not_its_default(tmp_path):
    now = {
        stride: replace(
            ORIGIN, options={**ORIGIN.options, "stride": stride}, unrecorded={"stride": 8}
        )
        for stride in (8, 16)
    }
    assert made_by(now[8]) == made_by(ORIGIN)
    assert made_by(now[16])["options"]["stride"] == 16
    for stride, other in ((8, 16), (16, 8)):
        assert now[stride].is_up_to_date(made_by(now[stride]), INPUTS)
        assert not now[stride].is_up_to_date(made_by(now[other]), INPUTS)
        assert is_refused(now[stride], made_by(now[other]), tmp_path)
    assert now[16].difference(made_by(ORIGIN)) == "made with other options: stride 8 (now 16)"


def test_the_version_of_the_package_does_not_matter(tmp_path):
    other = {**made_by(ORIGIN), "version": "99"}
    assert ORIGIN.is_up_to_date(other, INPUTS)
    assert not is_refused(ORIGIN, other, tmp_path)


@pytest.fixture
def fuse(wss, dataset, tmp_path, monkeypatch):
    """Run `fuse` as another version of it: its revision, further or removed options."""

    def run(revision=1, removed=(), **more):
        def step(name, options, **rest):
            return Step(
                name, {**options, **more}, **rest, revision=revision, removed=dict(removed)
            )  # fmt: skip

        monkeypatch.setattr(fuse_step, "Step", step)
        maps = dataset / "maps", dataset / "other-maps"
        return wss("fuse", *maps, "-o", tmp_path / "out", "--jobs", 1)

    return run


def test_a_raised_revision_remakes_what_the_command_made(fuse, tmp_path):
    out = tmp_path / "out"
    for revision in (1, 2, 1):
        outcome = fuse(revision)
        assert outcome.code == 0, outcome.err
        assert "up to date" not in outcome.err
        metas = [map_files.read_meta(out / f"{stem}.npz") for stem in STEMS]
        assert [meta.get("revision") for meta in metas] == [{1: None, 2: 2}[revision]] * 4
        made = folder_bytes(out)
        assert "skipped 4 (up to date)" in fuse(revision).err
        assert folder_bytes(out) == made


def test_a_removed_option_counts_at_its_default_as_none(fuse, tmp_path):
    assert fuse(engine="fast").code == 0
    made = folder_bytes(tmp_path / "out")
    refused = fuse()
    assert refused.code == 2
    assert "other options: engine 'fast' (now none)" in refused.err
    assert "skipped 4 (up to date)" in fuse(removed={"engine": "fast"}).err
    assert fuse(removed={"engine": "slow"}).code == 2
    assert folder_bytes(tmp_path / "out") == made


def test_another_version_of_the_package_leaves_what_the_command_made(fuse, tmp_path, monkeypatch):
    assert fuse().code == 0
    made = folder_bytes(tmp_path / "out")
    monkeypatch.setattr(provenance, "__version__", "99.0")
    assert "skipped 4 (up to date)" in fuse().err
    assert folder_bytes(tmp_path / "out") == made


def nested(depth):
    """The text of a record of so many steps one after the other."""
    innermost = json.dumps(META)
    around = json.dumps({**META, "inputs": [{**input_record("map", "x", "0"), "made_by": "@"}]})
    before, after = around.split('"@"')
    return before * (depth - 1) + innermost + after * (depth - 1)


@pytest.mark.parametrize("depth", [MOST_STEPS + 1, 300, 20_000])
def test_a_record_that_is_nested_too_deep_is_none(wss, tmp_path, depth):
    assert parse_record(nested(depth)) is None
    (tmp_path / "p.json").write_text(f'{{"method": "potts", "made_by": {nested(depth)}}}')
    for name, data in {
        "m.npz": npz(probs=np.full((2, 3, 4), 0.5), meta=np.array(nested(depth))),
        "l.png": by_pillow(np.zeros((3, 4), np.uint8), "PNG", pnginfo=text_chunk(nested(depth))),
    }.items():
        (tmp_path / name).write_bytes(data)
        outcome = wss("info", tmp_path / name)
        assert outcome.code == 0, outcome.err
        assert "no record of how it was made" in outcome.out
    outcome = wss("info", tmp_path / "p.json")
    assert "Traceback" not in outcome.err
    assert outcome.err.count("\n") <= 1


def text_chunk(text):
    chunk = PngInfo()
    chunk.add_text("wsstools", text, zip=True)
    return chunk


def test_a_pipeline_of_the_most_steps_is_read_and_a_longer_one_is_refused():
    origin, meta = Origin("argmax", {}), None
    for k in range(MOST_STEPS):
        meta = origin.record(kind="prob", stem="a", inputs=[input_record("map", "a", "0", meta)])
        assert parse_record(record_text(meta)) == meta, k
    longer = origin.record(kind="prob", stem="a", inputs=[input_record("map", "a", "0", meta)])
    with pytest.raises(ValueError, match="more than 100 steps one after the other"):
        record_text(longer)
