"""The shares of a job array: balanced, disjoint, complete, and the same again."""

from __future__ import annotations

import pytest

from wsstools.errors import UsageError
from wsstools.running.settings import Selection, parse_shard

STEMS = [f"{k:03}" for k in range(23)]
SOME = ("017", "004", "020", "001", "009")


@pytest.mark.parametrize("ids", [None, SOME])
@pytest.mark.parametrize("number", [1, 2, 5, 7, 23, 40])
def test_shares_are_balanced_disjoint_and_complete(ids, number):
    whole = list(Selection(ids=ids).choose(STEMS))
    shares = [
        list(Selection(ids=ids, shard=(k, number)).choose(STEMS)) for k in range(1, number + 1)
    ]
    assert sorted(stem for share in shares for stem in share) == sorted(whole)
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1
    for share in shares:
        assert share == [stem for stem in whole if stem in share]  # in the order of the whole


def test_shares_of_a_list_are_shares_of_the_list_and_not_of_the_folder(wss, dataset, tmp_path):
    ids = tmp_path / "ids.txt"
    ids.write_text("d\nb\n\nd\na\n")
    out = tmp_path / "out"
    found = []
    for k in (1, 2, 3, 4):
        outcome = wss("argmax", dataset / "maps", "-o", out, "--ids", ids, "--shard", f"{k}/4")
        assert outcome.code == 0, outcome.err
        found.append([path.stem for path in outcome.paths])
    assert found == [["d"], ["b"], ["a"], []]
    assert "0 written" in outcome.err
    again = wss("argmax", dataset / "maps", "-o", out, "--ids", ids, "--shard", "2/4")
    assert "0 written to" in again.err and "skipped 1 (up to date)" in again.err


@pytest.mark.slow
def test_a_share_of_the_paths_of_a_pipe(shell, dataset, tmp_path):
    line = f"ls {dataset}/maps/*.npz | wss argmax - -o out --jobs 1 --shard {{}}/2"
    first, second = shell(line.format(1)), shell(line.format(2))
    assert [path.stem for path in first.paths] == ["a", "c"], first.err
    assert [path.stem for path in second.paths] == ["b", "d"], second.err


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3"])
def test_wrong_shards_are_refused(text):
    with pytest.raises(UsageError):
        parse_shard(text)


def test_a_wrong_share_is_an_error_before_any_file_is_read(wss, tmp_path):
    outcome = wss("score", tmp_path / "none", tmp_path / "none", "--shard", "5/2")
    assert outcome.code == 2 and "--shard 5/2" in outcome.err
