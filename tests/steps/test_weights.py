"""`wss weights`, and how published weights are found, checked and brought here."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from wsstools.errors import DataError
from wsstools.files import atomic
from wsstools.nn.models.initial import imagenet_state, load_pretrained
from wsstools.nn.models.pretrained import PRETRAINED, check_pretrained, find_pretrained, torch_cache
from wsstools.nn.models.torchvision_compat import import_torchvision

NAME = "mobilenet_v2"


class Site:
    """A web site on this machine that serves files of a folder, and counts the requests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[str] = []
        self.missing_bytes = 0
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests.append(self.path)
                path = site.folder / self.path.lstrip("/")
                if not path.is_file():
                    self.send_error(404)
                    return
                data = path.read_bytes()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) - site.missing_bytes])

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Torch's cache, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("WSS_WEIGHTS", raising=False)
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def site(tmp_path, monkeypatch, cache):
    """A site with small files in place of the published ones."""
    folder = tmp_path / "site"
    folder.mkdir()
    site = Site(folder)
    for name, weights in list(PRETRAINED.items()):
        torch.save({"name": torch.tensor(list(name.encode()))}, folder / weights.file)
        digest = hashlib.sha256((folder / weights.file).read_bytes()).hexdigest()
        entry = replace(weights, site=site.address, sha256=digest)
        monkeypatch.setitem(PRETRAINED, name, entry)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield site
    site.server.shutdown()
    site.server.server_close()


@pytest.fixture
def no_site(site, monkeypatch):
    """Addresses at which nobody answers."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    for name, weights in list(PRETRAINED.items()):
        monkeypatch.setitem(PRETRAINED, name, replace(weights, site=f"http://127.0.0.1:{port}/"))


def is_whole(path: Path, site: Site, name: str = NAME) -> bool:
    """Whether the file is the published one, and nothing else is beside it."""
    published = site.folder / PRETRAINED[name].file
    return path.read_bytes() == published.read_bytes() and list(path.parent.iterdir()) == [path]


def test_the_table_says_what_torchvision_says():
    models = import_torchvision().models
    for name, weights in PRETRAINED.items():
        if name == "alexnet-original":
            continue
        theirs = models.get_model_weights(name).IMAGENET1K_V1
        assert weights.url == theirs.url
        assert weights.megabytes == theirs.meta["_file_size"]
        assert weights.sha256.startswith(Path(weights.file).stem.rpartition("-")[2])
    assert PRETRAINED["vgg16"].purpose == (
        "--filters vgg16, paper: 64 filters of 3x3; --arch deeplabv2-vgg16"
    )
    for weights in PRETRAINED.values():
        assert weights.filters or weights.archs
        assert bool(weights.filters) == bool(weights.filter_input)
        assert len(weights.sha256) == 64
        assert set(weights.sha256) <= set("0123456789abcdef")


def test_torchs_cache_is_found_without_torch(monkeypatch, tmp_path):
    for settings in ({}, {"XDG_CACHE_HOME": str(tmp_path)}, {"TORCH_HOME": "~/other"}):
        for variable in ("XDG_CACHE_HOME", "TORCH_HOME"):
            monkeypatch.delenv(variable, raising=False)
        for variable, value in settings.items():
            monkeypatch.setenv(variable, value)
        assert torch_cache() == Path(torch.hub.get_dir()) / "checkpoints"


@pytest.mark.parametrize("action", ["list", "where", "verify"])
def test_looking_imports_nothing_heavy(cache, action):
    code = (
        "import sys; from wsstools.cli.main import run\n"
        f"run(['weights', {action!r}, 'paper'])\n"
        "print([m for m in ('torch', 'numpy', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_list_tells_where_everything_is(wss, site, cache, tmp_path):
    cache.mkdir(parents=True)
    (cache / PRETRAINED["vgg16"].file).touch()
    (tmp_path / PRETRAINED["resnet50"].file).touch()
    outcome = wss("weights", "list", "--weights-dir", tmp_path, "--json")
    assert outcome.code == 0
    entries = {entry["name"]: entry for entry in json.loads(outcome.out)}
    assert list(entries) == list(PRETRAINED)
    places = {name: entry["path"] for name, entry in entries.items() if entry["path"]}
    assert places == {
        "vgg16": str(cache / PRETRAINED["vgg16"].file),
        "resnet50": str(tmp_path / PRETRAINED["resnet50"].file),
    }
    for name, entry in entries.items():
        assert entry["url"] == PRETRAINED[name].url
    text = wss("weights", "--weights-dir", tmp_path).out
    for entry in entries.values():
        assert {entry["name"], entry["url"]} <= set(text.split())
        assert entry["purpose"] in text
    assert text.count("here  no") == len(PRETRAINED) - 2
    assert not site.requests


def test_where_prints_the_path_or_what_to_do(wss, site, cache, tmp_path):
    outcome = wss("weights", "where", NAME)
    assert outcome.code == 1
    assert outcome.out == ""
    assert outcome.err.count("\n") == 1
    assert f"wss weights fetch {NAME}" in outcome.err
    (tmp_path / PRETRAINED[NAME].file).touch()
    assert wss("weights", "where", NAME, "--weights-dir", tmp_path).paths == [
        tmp_path / PRETRAINED[NAME].file
    ]


def test_fetch_brings_a_file_once(wss, site, cache):
    first = wss("weights", "fetch", NAME)
    assert first.code == 0, first.err
    assert "downloading http" in first.err
    (path,) = first.paths
    assert path == cache / PRETRAINED[NAME].file
    assert is_whole(path, site)
    before = path.stat().st_mtime_ns
    second = wss("weights", "fetch", NAME)
    assert second.paths == [path]
    assert "is up to date" in second.err
    assert path.stat().st_mtime_ns == before
    assert site.requests == [f"/{PRETRAINED[NAME].file}"]


def test_fetch_copies_from_the_cache_to_a_folder(wss, site, cache, tmp_path):
    wss("weights", "fetch", NAME)
    outcome = wss("weights", "fetch", NAME, "--weights-dir", tmp_path / "new")
    assert outcome.paths == [tmp_path / "new" / PRETRAINED[NAME].file]
    assert "copying" in outcome.err
    assert is_whole(outcome.paths[0], site)
    assert len(site.requests) == 1


def test_paper_names_its_files(wss, site, tmp_path):
    outcome = wss("weights", "fetch", "paper", "--weights-dir", tmp_path / "w")
    names = [PRETRAINED[name].file for name in ("vgg16", "alexnet-original")]
    assert [path.name for path in outcome.paths] == names
    assert wss("weights", "where", "paper", "--weights-dir", tmp_path / "w").paths == outcome.paths


def test_a_wrong_file_is_reported_and_replaced(wss, site, cache, tmp_path):
    wss("weights", "fetch", NAME, "resnet50")
    path = cache / PRETRAINED[NAME].file
    assert wss("weights", "verify").out.count("right") == 2
    with path.open("ab") as file:
        file.write(b"x")
    found = wss("weights", "verify")
    assert found.code == 1
    assert f"{path}: SHA-256 is" in found.err
    assert found.err.splitlines()[-1].endswith(f"1 of 2 files are wrong: {NAME}")
    assert found.out.startswith("resnet50: right")
    assert wss("weights", "verify", "resnet50").code == 0
    assert wss("weights", "verify", "vgg16").code == 1
    with pytest.raises(DataError, match="damaged or another"):
        load_pretrained(NAME)
    assert wss("weights", "fetch", NAME).code == 0
    assert wss("weights", "verify").code == 0
    assert wss("weights", "verify", "--weights-dir", tmp_path).code == 0


def test_nothing_at_hand_is_no_error_to_verify(wss, cache):
    outcome = wss("weights", "verify")
    assert (outcome.code, outcome.out) == (0, "")
    assert "none of the files is on this machine" in outcome.err


@pytest.mark.parametrize("fault", ["other bytes", "cut", "absent"])
def test_a_failed_download_leaves_nothing(wss, site, cache, fault):
    published = site.folder / PRETRAINED[NAME].file
    if fault == "other bytes":
        published.write_bytes(published.read_bytes()[:-1] + b"?")
    elif fault == "cut":
        site.missing_bytes = 100
    else:
        published.unlink()
    outcome = wss("weights", "fetch", NAME)
    assert outcome.code == 1
    assert outcome.out == ""
    message = {
        "other bytes": "SHA-256 of what came is",
        "cut": "bytes",
        "absent": "Not Found",
    }[fault]
    last = outcome.err.splitlines()[-1]
    assert message in last
    assert "--weights-dir" in last
    assert list(cache.parent.rglob("*.*")) == []


def test_the_leftovers_of_a_killed_fetch_are_deleted(wss, site, cache):
    with atomic.marked(cache) as mark:  # of a run that goes on
        killed = mark.with_name(mark.name.replace(f"-{os.getpid()}.", "-4194999."))
        for path in (killed, cache / ".other-1.part"):
            path.write_bytes(b"x")
        assert wss("weights", "fetch", NAME).code == 0
        left = [mark.name, ".other-1.part", PRETRAINED[NAME].file]
        assert sorted(os.listdir(cache)) == sorted(left)


def test_without_a_network_one_line_says_what_to_do(wss, no_site, cache, dataset, tmp_path):
    for name, alternative in (
        (NAME, "--init random"),
        ("alexnet", "--filters gabor"),
        ("vgg16", "--filters gabor or --init random"),
    ):
        outcome = wss("weights", "fetch", name)
        assert outcome.code == 1
        (*_, line) = outcome.err.splitlines()
        assert line.startswith("wss weights: error: cannot download http")
        assert line.endswith(f"do without: {alternative} needs no weights")
        assert PRETRAINED[name].file in line
    with pytest.raises(DataError, match=r"mobilenet_v2-b0353104\.pth .*--init random"):
        imagenet_state("deeplabv2-mobilenetv2", str(tmp_path))
    outcome = wss(
        "rf-predict", dataset / "images", dataset / "scribbles", "--filters", "paper",
        "-o", tmp_path / "out",
    )  # fmt: skip
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].endswith(
        "--filters gabor or --init random needs no weights"
    )
    assert not list(tmp_path.glob("out/*"))


def test_states_are_loaded_from_folder_cache_or_site(site, cache, tmp_path):
    def name_in(state):
        return bytes(state["name"].tolist()).decode()

    assert name_in(load_pretrained(NAME)) == NAME
    assert find_pretrained(NAME) == cache / PRETRAINED[NAME].file
    assert name_in(load_pretrained(NAME, str(tmp_path))) == NAME
    assert len(site.requests) == 1
    (tmp_path / PRETRAINED[NAME].file).write_bytes(b"damaged")
    with pytest.raises(DataError, match=str(tmp_path)):
        load_pretrained(NAME, str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["bring"], "there are list, where, fetch, verify"),
        (["fetch"], "needs a NAME"),
        (["where"], "needs a NAME"),
        (["where", "lenet"], "there are vgg16, alexnet-original"),
        (["fetch", "vgg16", "--json"], "--json goes with list"),
    ],
)
def test_wrong_usage_is_reported(wss, cache, arguments, hint):
    outcome = wss("weights", *arguments)
    assert outcome.code == 2
    assert hint in outcome.err


@pytest.mark.shared
def test_a_real_file_is_right(shared):
    path = shared / "weights" / PRETRAINED[NAME].file
    if path.is_file():
        check_pretrained(NAME, path)
        assert round(path.stat().st_size / 2**20, 3) == PRETRAINED[NAME].megabytes
