"""Names by which files join."""

from __future__ import annotations

import unicodedata

import pytest

from wsstools.files.names import NameRule, plain_name, why_nothing_joins


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.png", "a"),
        ("a.ome.tif", "a"),
        ("a.OME.TIFF", "a"),
        ("case_001.nii.gz", "case_001"),
        ("a.b.png", "a.b"),
        ("x/y/a.png", "x/y/a"),
        (".ome.tif", ".ome.tif"),
        (".gitignore", ".gitignore"),
        ("noending", "noending"),
        (unicodedata.normalize("NFD", "café.png"), unicodedata.normalize("NFC", "café")),
    ],
)
def test_the_ending_and_the_form_of_letters_do_not_count(path, name):
    assert plain_name(path) == name


def test_where_names_end_in_a_suffix_only_these_count():
    rule = NameRule(("_gtFine_labelIds", "_leftImg8bit"))
    files = ["a_gtFine_color.png", "a_gtFine_labelIds.png", "b_gtFine_labelIds.png"]
    assert dict(rule.names(files)) == {
        "a": "a_gtFine_labelIds.png",
        "b": "b_gtFine_labelIds.png",
    }
    assert dict(rule.names(["a.png", "b.png"])) == {"a": "a.png", "b": "b.png"}
    assert rule.name("x/a_leftImg8bit.jpg") == "a"
    assert rule.name("_leftImg8bit.jpg") == "_leftImg8bit"  # nothing would be left


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("a", "a"),
        ("a.png", "a"),
        ("images/a.png", "a"),
        ("/JPEGImages/a.jpg /SegmentationClassAug/a.png", "a"),
        ("a\t1", "a"),
        ("a,0.5,train", "a"),
        ("a_leftImg8bit", "a"),
    ],
)
def test_a_line_of_a_list_may_be_a_name_a_path_or_the_first_of_several_columns(line, meant):
    assert meant in NameRule(("_leftImg8bit",)).listed_names(line)


def test_a_name_with_spaces_comes_before_its_first_word():
    names = NameRule().listed_names("my photo 1")
    assert names.index("my photo 1") < names.index("my")


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (["car1", "car2"], ["car1_mask", "car2_mask"], "--suffix _mask"),
        (
            ["aachen_000_019_leftImg8bit", "aachen_001_019_leftImg8bit"],
            ["aachen_000_019_gtFine_labelIds", "aachen_001_019_gtFine_labelIds"],
            "--suffix _leftImg8bit,_gtFine_labelIds",
        ),
        (["car1_a", "car1_b", "car2_b"], ["car1", "car2"], "--suffix _b"),  # joins more
        (
            [f"c{k}_{n:04d}" for k in range(3) for n in range(2)],
            ["c0", "c1", "c2"],
            "--suffix _0000",
        ),
        (["a0_rgb_10m", "a1_rgb_10m"], ["a0_label_10m", "a1_label_10m"], "_rgb_10m,_label_10m"),
        (["a0_256x256", "a1_256x256"], ["a0_mask_256x256", "a1_mask_256x256"], "_mask_256x256"),
        ([f"p{k}_rater{n}" for k in range(3) for n in (1, 2, 3)], ["p0", "p1"], "--suffix _rater1"),
        (["IMG1"], ["img1"], "upper and lower case"),
        (["train/a", "train/b"], ["a", "b"], "subfolders"),
        (["image 7"], ["0007"], "zeros"),
        (["scan_1", *"abcdefgh"], [f"scan_q{k}" for k in range(5, 99)], "without folder"),
        (["a"], ["b"], "without folder and ending: 'a' and 'b'"),
    ],
)
def test_the_likeliest_reason_is_named(first, second, reason):
    assert reason in why_nothing_joins(first, second)


def slice_names(case, places=range(10), end=""):
    return [f"{case}_z{k:04d}{end}" for k in places]


@pytest.mark.parametrize("n_slices", [1, 10, 200])
@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (
            "heart_image",
            "heart",
            "'heart_image_z0000' and 'heart_z0000' ('_image'); they must be equal up to a suffix: "
            "cut the volumes again with wss slices --suffix _image",
        ),
        (
            "heart_image",
            "heart_strokes",
            "('_image' and '_strokes'); they must be equal up to a suffix: "
            "cut the volumes again with wss slices --suffix _image,_strokes",
        ),
        ("heart_0000", "heart", "wss slices --suffix _0000"),
    ],
)
def test_what_differs_before_the_place_of_a_slice_is_named(one, other, said, n_slices):
    first, second = (slice_names(case, range(n_slices)) for case in (one, other))
    assert why_nothing_joins(first, second).endswith(said)
    few = why_nothing_joins(first, second[: n_slices // 2 + 1])
    assert few.startswith("their names differ before the end: ") and few.endswith(said)
    turned = why_nothing_joins(second, first)
    assert "equal up to a suffix: cut the volumes again with wss slices --suffix _" in turned


def test_names_that_are_no_slices_are_not_cut_again():
    text = why_nothing_joins(["a_left_7", "a_left_8"], ["a_right_7", "a_right_8"])
    assert text.endswith("('_left' and '_right'); they must be equal up to a suffix")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (slice_names("heart_image", [0]), slice_names("heart", [1])),
        (slice_names("heart_image", range(5)), slice_names("heart", range(5, 10))),
        (["p1_image_z0005", "p2_image_z0005"], ["p1_z0006", "p2_z0006"]),
        (slice_names("heart", [0], "_image"), slice_names("heart", [1], "_strokes")),
        (slice_names("heart", [0, 1], "_image"), slice_names("heart", [2, 3], "_strokes")),
        (["heart"], slice_names("heart")),
        (["heart"], slice_names("heart", [3])),
        (["frame"], ["frame_1", "frame_2"]),
        (["cat_dog", "cat_bird"], ["cat_tree", "cat_house"]),
        (["patient_1_z0000"], ["patient_2_z0000"]),
        ([*slice_names("h_1"), *slice_names("h_2")], slice_names("h")),
        (["c0_0000"], ["d0"]),
        ([f"scan{k}_{n:04d}" for k in range(2) for n in range(30)], ["scan0", "scan1"]),
    ],
)
def test_no_suffix_joins_other_numbers_or_a_part(first, second):
    for names in ((first, second), (second, first)):
        text = why_nothing_joins(*names)
        assert text.startswith("names are joined without folder and ending: "), text
        assert text.endswith("; they must be equal up to a suffix (--suffix)")


def test_the_names_whose_zeros_differ_are_shown():
    text = why_nothing_joins(["a", "image 7"], ["0007", "b"])
    assert text == "their numbers are written with other zeros: 'image 7' and '0007'"
    same = why_nothing_joins(["x_t1"], ["x_seg1"])
    assert "zeros" not in same


@pytest.mark.parametrize(
    ("kinds", "chosen"),
    [
        (["color", "instanceIds", "labelIds", "labelTrainIds"], "labelIds"),
        (
            ["color", "instanceIds", "instanceTrainIds", "labelTrainIds", "polygons"],
            "labelTrainIds",
        ),
        (["color", "instanceIds"], "color"),  # nothing better
    ],
)
@pytest.mark.parametrize(("n_images", "n_gt"), [(1, 1), (3, 3), (200, 200), (200, 12), (12, 200)])
def test_suffixes_of_cityscapes_are_those_of_class_ids(kinds, chosen, n_images, n_gt):
    images = [f"aachen_{k:06d}_000019" for k in range(n_images)]
    gt = [f"aachen_{k:06d}_000019_gtFine_{kind}" for k in range(n_gt) for kind in kinds]
    for names, suffix in (
        ([f"{name}_leftImg8bit" for name in images], "_leftImg8bit"),
        (images, ""),
    ):
        for pair in ((gt, names), (names, gt)):
            (suffixes,) = why_nothing_joins(*pair).split("--suffix ")[1:]
            assert set(suffixes.split(",")) == {f"_gtFine_{chosen}", suffix} - {""}
