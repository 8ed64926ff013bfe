"""What the path of an output means."""

from __future__ import annotations

import os

import pytest

from wsstools.errors import UsageError
from wsstools.files.targets import check_no_input, output_file


def test_a_new_file_may_be_written(tmp_path):
    assert output_file(tmp_path / "x" / "a.png", [tmp_path], endings=[".png"])


@pytest.mark.parametrize("name", ["folder", "folder/", "new/"])
def test_a_folder_is_no_file(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        output_file(f"{tmp_path}/{name}", [])


@pytest.mark.parametrize("name", ["a.jpg", "a"])
def test_the_ending_is_that_of_the_format(tmp_path, name):
    with pytest.raises(UsageError, match=r"ends in \.png"):
        output_file(tmp_path / name, [], endings=[".png"])


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("how", ["file", "folder", "link", "hard link", "linked folder"])
def test_an_input_is_never_replaced(tmp_path, how, overwrite):
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = folder / "a.png"
    photo.write_bytes(b"photo")
    target, places = photo, [folder]
    if how == "file":
        places = [photo]
    elif how == "link":
        target = tmp_path / "link.png"
        target.symlink_to(photo)
    elif how == "hard link":
        target = tmp_path / "hard.png"
        os.link(photo, target)
    elif how == "linked folder":
        (tmp_path / "other").symlink_to(folder)
        places = [tmp_path / "other"]
    with pytest.raises(UsageError, match="is an input"):
        output_file(target, places, is_ours=True, overwrite=overwrite)
    with pytest.raises(UsageError, match="is an input"):
        check_no_input(target, places)


def test_inputs_in_subfolders_are_not_replaced_where_these_are_read(tmp_path):
    photo = tmp_path / "photos" / "x" / "a.png"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"photo")
    (photo.parent / "loop").symlink_to(tmp_path / "photos")
    assert output_file(photo, [tmp_path / "photos"]) == photo
    with pytest.raises(UsageError, match="is an input"):
        output_file(photo, [tmp_path / "photos"], is_recursive=True)


def test_files_that_no_step_reads_are_no_inputs(tmp_path):
    for name in ("model.pt", "A.PNG"):
        (tmp_path / name).write_bytes(b"")
    assert output_file(tmp_path / "model.pt", [tmp_path], read=(".png",))
    with pytest.raises(UsageError, match="is an input"):
        output_file(tmp_path / "A.PNG", [tmp_path], read=(".png",))


def test_a_file_of_others_is_replaced_only_if_that_is_said(tmp_path):
    notes = tmp_path / "notes.html"
    notes.write_text("mine")
    with pytest.raises(UsageError, match="exists and was not made by this command"):
        output_file(notes, [], is_ours=False)
    assert output_file(notes, [], is_ours=False, overwrite=True) == notes
    assert output_file(notes, [], is_ours=True) == notes
