"""--folds: maps whose strokes are predicted by models that did not learn from them."""

from __future__ import annotations

import numpy as np
import pytest
from builders import STEMS, draw_image, folder_bytes

from wsstools.formats import map_files

MODELS = {
    "rf-predict": ["rf-predict", "--trees", 5],
    "walker": ["local-predict", "--model", "walker"],
    "parzen": ["local-predict", "--model", "parzen"],
    "gmm": ["local-predict", "--model", "gmm"],
    "boosting": ["local-predict", "--model", "boosting", "--rounds", 3],
}


@pytest.fixture
def predict(wss, dataset, tmp_path):
    """Run a model on the data set into a folder of tmp_path."""

    def run(model: str, out: str, *more: object):
        command, *options = MODELS[model]
        places = [dataset / "images", dataset / "scribbles"]
        return wss(command, *places, "-o", tmp_path / out, *options, *more)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_strokes_are_known_less_than_by_models_that_saw_them(predict, model, tmp_path):
    assert predict(model, "seen").code == 0
    outcome = predict(model, "held", "--folds", 2, "--jobs", 1)
    assert outcome.code == 0, outcome.err
    assert predict(model, "two", "--folds", 2, "--jobs", 2).code == 0
    assert folder_bytes(tmp_path / "held") == folder_bytes(tmp_path / "two")
    certainty = {}
    for folder in ("seen", "held"):
        of_strokes = []
        for number, stem in enumerate(STEMS):
            _, _, scribbles = draw_image(number)
            probs = map_files.read_map(tmp_path / folder / f"{stem}.npz").dense()
            np.testing.assert_allclose(probs.sum(axis=0), 1, atol=2e-3)
            rows, columns = np.nonzero(scribbles != 255)
            of_strokes.append(probs[scribbles[rows, columns], rows, columns])
        certainty[folder] = np.concatenate(of_strokes).mean()
    assert 0.4 < certainty["held"] < certainty["seen"]


def test_the_record_has_the_folds_and_other_folds_are_other_options(predict, tmp_path):
    assert predict("parzen", "maps", "--folds", 3).code == 0
    meta = map_files.read_meta(tmp_path / "maps" / f"{STEMS[0]}.npz")
    assert meta["options"]["folds"] == 3
    assert "skipped 4 (up to date)" in predict("parzen", "maps", "--folds", 3).err
    assert predict("parzen", "maps", "--folds", 4).code == 2
    assert predict("parzen", "maps").code == 2
    assert predict("parzen", "plain").code == 0
    assert "folds" not in map_files.read_meta(tmp_path / "plain" / f"{STEMS[0]}.npz")["options"]


def test_one_fold_is_none(predict):
    outcome = predict("parzen", "maps", "--folds", 1)
    assert outcome.code == 2
    assert "--folds: expected at least 2" in outcome.err
