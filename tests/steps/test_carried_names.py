"""The classes that labels are named by are those that they were made with."""

from __future__ import annotations

import json

from wsstools.formats.label_files import read_class_names


def coco(names):
    categories = [{"id": k + 1, "name": name} for k, name in enumerate(names)]
    polygon = {"image_id": 1, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9, 1, 9]]}
    images = [{"id": 1, "file_name": "a.jpg", "width": 12, "height": 10}]
    return json.dumps({"images": images, "categories": categories, "annotations": [polygon]})


def test_names_beside_the_output_do_not_replace_those_of_the_file(wss, tmp_path):
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "x" / "y" / "c.json").write_text(coco(["cat", "dog"]))
    assert wss("scribbles", tmp_path / "x" / "y" / "c.json", "-o", tmp_path / "out").code == 0
    assert read_class_names(tmp_path / "out" / "classes.txt") == ["cat", "dog"]
    assert '"cat"' in wss("stats", tmp_path / "out", "--json").out


def test_simulated_scribbles_have_the_names_of_their_ground_truth(wss, dataset, tmp_path):
    out = tmp_path / "drawn"
    assert wss("scribbles", "--simulate", dataset / "gt", "-o", out).code == 0
    assert read_class_names(out / "classes.txt") == read_class_names(dataset / "classes.txt")


def test_names_in_the_output_that_differ_are_an_error_before_the_work(wss, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "classes.txt").write_text("sky\nroad\n")
    (tmp_path / "c.json").write_text(coco(["cat", "dog"]))
    command = ["scribbles", tmp_path / "c.json", "-o", tmp_path / "out"]
    outcome = wss(*command)
    assert outcome.code == 2
    assert "names other classes than these labels: sky, road, not cat, dog" in outcome.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["classes.txt"]
    assert wss(*command, "--overwrite").code == 0
    assert read_class_names(tmp_path / "out" / "classes.txt") == ["cat", "dog"]


def test_the_list_of_curate_is_no_output_where_it_is_an_input(wss, dataset, tmp_path):
    command = ["curate", dataset / "scribbles", dataset / "gt", "-o", tmp_path / "out"]
    assert wss(*command).code == 0
    complete = tmp_path / "out" / "complete.txt"
    before = complete.read_bytes()
    outcome = wss(*command, "--ids", complete, "--overwrite")
    assert outcome.code == 2
    assert "complete.txt is an input" in outcome.err
    assert complete.read_bytes() == before
