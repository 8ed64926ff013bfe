"""The pages of docs/ that become manual pages: what they say holds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import zlib

import manual
import numpy as np
import pytest
from builders import code_blocks, draw_image

from wsstools.core.maps import SUM_TOLERANCE, ProbabilityMap
from wsstools.core.stored_maps import GRID
from wsstools.files.provenance import Origin
from wsstools.formats import image_files, label_files, map_files
from wsstools.formats.annotations import detection
from wsstools.formats.label_files import encode_labels

MAPS = (manual.DOCS_FOLDER / "maps.md").read_text()


PIPELINE = (manual.DOCS_FOLDER / "pipeline.md").read_text()


def section(text: str, title: str) -> str:
    return text.split(f"# {title}\n")[1].split("\n#")[0]


def test_the_page_on_files_says_what_the_code_says():
    assert f"multiples of 1/{GRID}" in MAPS
    assert f"by more than {SUM_TOLERANCE:g} (K/{2 * GRID} where" in MAPS.replace("\n", " ")
    for key in map_files._FOREIGN_KEYS:
        assert f"`{key}`" in section(MAPS, "Maps of other programs")
    for suffix in label_files.SUFFIXES:
        assert f"`{suffix}`" in section(MAPS, "Labels and scribbles")
    for suffix in image_files.SUFFIXES:
        assert f"`{suffix}`" in section(MAPS, "Images")
    record = Origin("", {}).record(kind="", stem="", inputs=[], result={"a": 1})
    for key in record:
        assert f"| `{key}` |" in section(MAPS, "The record")
    assert detection.CLASSES_FILE in MAPS


def test_a_map_file_is_as_the_page_says(tmp_path):
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(3), (5, 4)).transpose(2, 0, 1).astype(np.float32)
    record = {"kind": "prob", "stem": "a", "step": "s", "version": "1", "options": {}, "inputs": []}
    path = tmp_path / "a.npz"
    path.write_bytes(map_files.encode_map(ProbabilityMap(probs, np.array([0, 2, 5]), 7), record))
    with np.load(path, allow_pickle=False) as archive:
        arrays = {key: (archive[key].dtype.kind, archive[key].shape) for key in archive.files}
        stored = archive["probs"]
        assert json.loads(str(archive["meta"])) == record
        assert archive["probs"].dtype == np.float16
        assert archive["classes"].dtype == archive["n_classes"].dtype == np.int16
    rows = re.findall(r"\| `(\w+)` \| \w+ \(([\w, ]*)\)", section(MAPS, "Probability maps"))
    axes = {"K": 3, "H": 5, "W": 4}
    expected = {key: tuple(axes[axis] for axis in shape.split(", ") if axis) for key, shape in rows}
    assert {key: shape for key, (_, shape) in arrays.items()} == expected
    assert np.array_equal(stored * 1024, np.rint(stored * 1024))
    assert np.abs(stored - probs).max() <= 1 / 2048


@pytest.mark.parametrize("n_classes", [2, 21, 45, 59, 150])
def test_maps_of_many_classes_are_read_back(n_classes):
    probs = np.full((n_classes, 2, 2), 1 / n_classes, np.float32)
    encoded = map_files.encode_map(ProbabilityMap(probs, np.arange(n_classes), n_classes), {})
    found = map_files.decode_map(encoded, "a.npz").value
    assert np.allclose(found.probs, probs, atol=1e-6)


def test_the_python_of_the_page_writes_and_reads_maps(wss, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "maps").mkdir()
    _, labels, _ = draw_image(0)
    probs = np.eye(3)[labels % 3].transpose(2, 0, 1)
    write, read = code_blocks(MAPS, "python")
    exec(write, {"np": np, "probs": probs})
    assert wss("fuse", "maps", "maps", "-o", "local", "--jobs", "1").code == 0
    names = {"np": np}
    exec(read, names)
    expected = np.zeros((7, *labels.shape), np.float32)
    expected[[0, 2, 5]] = probs
    assert np.array_equal(names["dense"], expected)


def test_the_record_of_labels_is_where_the_page_says():
    data = encode_labels(np.zeros((2, 2), np.uint8), {"a": 1})
    start = data.index(b"zTXtwsstools\0\0") + len(b"zTXtwsstools\0\0")
    assert json.loads(zlib.decompressobj().decompress(data[start:])) == {"a": 1}


def test_the_makefile_of_the_page_is_done_when_all_steps_are(tmp_path):
    """Its steps are played: that they work in such a pipe is tested with the pipe itself."""
    for folder in ("images", "scribbles", "labels"):
        (tmp_path / folder).mkdir()
    (makefile,) = code_blocks(PIPELINE, "make")
    (tmp_path / "Makefile").write_text(makefile)
    (tmp_path / "wss").write_text('#!/bin/sh\necho "$1" >> steps\ntest "$1" != "$FAILING"\n')
    (tmp_path / "wss").chmod(0o755)
    for failing, code_of_make, is_stamped in (("regularize", 2, False), ("", 0, True)):
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "FAILING": failing}
        command = ["make", "labels/.done"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, check=False)
        assert done.returncode == code_of_make
        assert (tmp_path / "labels" / ".done").exists() == is_stamped
    steps = (tmp_path / "steps").read_text().split()
    assert sorted(steps) == sorted(2 * ["rf-predict", "regularize", "argmax"])
    assert subprocess.run([*command, "--question"], cwd=tmp_path, check=False).returncode == 0


def test_each_promise_of_the_security_page_has_its_test():
    text = (manual.DOCS_FOLDER.parent / "SECURITY.md").read_text()
    promises = section(text, "What holds for files of others").split("\n- **")[1:]
    assert len(promises) > 8
    for promise in promises:
        tests = re.findall(r"\[([^\]]*)\]\s*$", promise)
        assert tests and ("tests/" in tests[0] or "hostile" in tests[0]), promise
    for path, _, name in re.findall(r"`(tests/[\w/]+\.py)(::(\w+))?`", text):
        source = (manual.DOCS_FOLDER.parent / path).read_text()
        assert not name or f"def {name}(" in source, name
