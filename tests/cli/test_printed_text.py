"""What is printed of files of others, and in locales that cannot hold it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from builders import META, draw_image, noisy_map, npz

from wsstools.errors import one_line, printable
from wsstools.formats.label_files import encode_labels
from wsstools.formats.map_files import encode_map, write_map

FORGED = "x\nwss argmax: 4 written to labels\x1b[2J\x9b1m\u202e"
SHOWN = "x\\x0awss argmax: 4 written to labels\\x1b[2J\\x9b1m\\u202e"


@pytest.mark.parametrize(("text", "shown"), [
    ("straße 好", "straße 好"), (FORGED, SHOWN), (os.fsdecode(b"a\xe9"), "a\\xe9"), ("\t\r", "\\x09\\x0d"),
    ("\U000e0001", "\\U000e0001"),
])  # fmt: skip
def test_control_characters_are_escaped(text, shown):
    assert printable(text) == shown
    assert one_line(text).isprintable()


def hostile_files(folder):
    """A map and labels whose records, and names, hold line ends and commands for a terminal."""
    record = {**META, "step": FORGED, "options": {FORGED: FORGED}, "result": {FORGED: FORGED},
              "version": FORGED, "inputs": [{"role": FORGED, "name": FORGED, "blake2b": FORGED}]}  # fmt: skip
    labels = draw_image(0)[1]
    (folder / f"{FORGED}.npz").write_bytes(encode_map(noisy_map(labels, 0), record))
    (folder / f"{FORGED}.png").write_bytes(encode_labels(labels.astype(np.uint8), record))
    (folder / f"{FORGED}2.npz").write_bytes(npz(**{FORGED: np.zeros(3)}))
    return folder


@pytest.mark.parametrize("ending", [".npz", ".png", "2.npz"])
def test_no_record_forges_a_line_of_info(wss, tmp_path, ending):
    outcome = wss("info", hostile_files(tmp_path) / f"{FORGED}{ending}")
    text = outcome.out + outcome.err
    assert "x\\x0awss argmax" in text if ending != "2.npz" else "x wss argmax" in text
    assert all(line.isprintable() for line in text.splitlines())
    assert not any(line.startswith("wss argmax") for line in text.splitlines())


def test_no_name_of_a_file_forges_a_line(wss, tmp_path):
    (tmp_path / "maps").mkdir()
    hostile_files(tmp_path / "maps")
    refused = wss("argmax", tmp_path / "maps", "-o", tmp_path / "maps2")
    scored = wss("score", tmp_path / "maps2", tmp_path / "maps2", "--per-image")
    assert "mean IoU" in scored.out and "failed" in refused.err
    for text in (refused.err, scored.out, scored.err):
        assert all(line.isprintable() for line in text.splitlines())
        assert not any(line.startswith("wss argmax: 4 w") for line in text.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_any_locale_shows_any_name(program, tmp_path, encoding):
    """Names of classes, and of files that are not UTF-8; the first by a `wss` of its own."""
    (tmp_path / "classes.txt").write_text("straße\n好\n", "utf-8")
    maps = tmp_path / "maps"
    maps.mkdir()
    for name in (b"a\xe9", "grün".encode(), b"two\nlines"):
        write_map(maps / os.fsdecode(name + b".npz"), np.full((2, 4, 6), 0.5))

    def run(*arguments, wss=(program,)):
        return subprocess.run([*wss, *arguments], cwd=tmp_path, capture_output=True,
                              env={**os.environ, "PYTHONIOENCODING": encoding})  # fmt: skip

    fresh = (sys.executable, "-m", "wsstools")
    made = run("argmax", "maps", "-o", "labels", "-0", "-j", "1", wss=fresh)
    assert made.returncode == 0, made.stderr
    names = sorted([b"labels/a\xe9.png", b"labels/gr\xc3\xbcn.png", b"labels/two\nlines.png"])
    assert sorted(made.stdout.split(b"\0")[:-1]) == names
    for form in ("table", "csv", "json"):
        scored = run("score", "labels", "labels", "--format", form)
        assert scored.returncode == 0, scored.stderr
        whole = b"stra\xdfe" if encoding == "latin-1" and form != "json" else b"stra\\"
        assert whole in scored.stdout
        if form == "json":
            assert "straße" in json.loads(scored.stdout)["iou"]
    assert run("info", os.fsencode("labels/") + b"a\xe9.png").returncode == 0
    curated = run("curate", "labels", "labels", "-o", "curated")
    assert b"cannot hold names with line ends: 'two\\nlines'" in curated.stderr
    assert curated.returncode == 0, curated.stderr
    (listed,) = (tmp_path / "curated").glob("*.txt")
    again = run("argmax", "maps", "-o", "again", "-0", "--ids", str(listed), "-j", "1")
    assert again.stdout.split(b"\0")[:-1] == [b"again/a\xe9.png", b"again/gr\xc3\xbcn.png"]
    (tmp_path / "labels" / "two\nlines.png").unlink()
    assert run("compare", "labels", "again", "--gt", "labels", "-o", "both").returncode == 0
    assert b"a\xe9," in (tmp_path / "both" / "compare.csv").read_bytes()
