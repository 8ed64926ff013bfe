"""The race of `wss tune`: which settings run on which images, and how they did."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wsstools.cli._regularizers import (
    DEFAULTS,
    PREPARED_BY,
    Regularizer,
    check_parameter,
    option_name,
)

GRIDS: Mapping[str, Mapping[str, str]] = {
    "potts": {"lambda": "1,2,5,10,20,50", "eta": "0,0.005,0.01,0.02,0.05"},
    "crf": {
        "w1": "1,3,6,10",
        "sigma_alpha": "30,60",
        "sigma_beta": "3,5,10,20",
        "w2": "2,5",
        "sigma_gamma": "2",
        "iterations": "10",
    },
}
"""Values to try by default, around the paper's."""
_BLOCK = 4
"""Images between two looks at the race, after the first."""


def parsed_grid(method: str, lists: Mapping[str, str]) -> dict[str, list[float]]:
    """The values of each parameter, in the order of the lists; those not given are by default.

    Raises
    ------
    UsageError
        If a list belongs to the other method, or a value is no number or out of range.
    """
    from wsstools.errors import UsageError

    for name in lists:
        if name not in GRIDS[method]:
            raise UsageError(f"{option_name(name)} does not belong to --{method}")
    return {
        name: _values(name, lists.get(name, default)) for name, default in GRIDS[method].items()
    }


def _values(parameter: str, text: str) -> list[float]:
    from wsstools.errors import UsageError

    option = option_name(parameter)
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(f"{option} {text}: expected numbers with commas between") from error
    try:
        return list(dict.fromkeys(check_parameter(parameter, n, option) for n in numbers))
    except ValueError as error:
        raise UsageError(str(error)) from error


@dataclass(frozen=True)
class Contest:
    """The settings of a race.

    Attributes
    ----------
    method : str
        `potts` or `crf`.
    grid : mapping
        Values of each parameter that is searched.
    settings : list of Regularizer
        The grid, and last the paper's setting where the grid does not hold it.
    n_contenders : int
        How many of them are of the grid.
    paper : int
        Which of them is the paper's.
    """

    method: str
    grid: Mapping[str, Sequence[float]]
    settings: list[Regularizer]
    n_contenders: int
    paper: int

    @classmethod
    def of(
        cls, method: str, grid: Mapping[str, Sequence[float]], fixed: Mapping[str, float]
    ) -> Contest:
        """Every combination of the grid's values, with the same fixed parameters."""
        settings = [
            Regularizer(
                method, {**DEFAULTS[method], **fixed, **dict(zip(grid, values, strict=True))}
            )
            for values in itertools.product(*grid.values())
        ]
        paper = Regularizer(method, {**DEFAULTS[method], **fixed})
        known = settings if paper in settings else [*settings, paper]
        return cls(method, grid, known, len(settings), known.index(paper))


class Race:
    """A race under way: who is left, and the confusion matrices so far.

    Parameters
    ----------
    contest : Contest
        The settings.
    tasks : sequence of Task
        The images in the order of the race.
    seed : int
        For the resamples that decide who leaves.
    keep_all : bool
        Nobody leaves.
    """

    def __init__(self, contest: Contest, tasks: Sequence[Any], seed: int, keep_all: bool) -> None:
        self.contest, self.keeps_all, self._tasks, self._seed = contest, keep_all, tasks, seed
        self._position = {_key(one.options()): k for k, one in enumerate(contest.settings)}
        self._living = list(range(len(contest.settings)))
        self._left_after: dict[int, int] = {}
        self._found: dict[str, dict[int, Mapping[str, Any]]] = {}  # by stem and setting
        self.failed: set[str] = set()
        self.digests: dict[str, tuple[str, ...]] = {}

    @property
    def paths(self) -> dict[str, tuple[Any, ...]]:
        """The files of each image."""
        return {task.stem: task.paths for task in self._tasks}

    @property
    def stems(self) -> list[str]:
        """The images that went well so far, in order."""
        return [task.stem for task in self._tasks if self._is_good(task.stem)]

    @property
    def n_living(self) -> int:
        """How many settings are left."""
        return len(self._living)

    def blocks(self) -> Iterator[list[Any]]:
        """The trials of one block of images after the other, for the settings that are left.

        The reports of a block must have been taken when the next is asked for.
        """
        from wsstools.core.evaluation.race import MIN_IMAGES
        from wsstools.formats.trials import Trial

        bounds = [0, *range(MIN_IMAGES, len(self._tasks), _BLOCK), len(self._tasks)]
        for first, last in itertools.pairwise(bounds):
            if first and not self.keeps_all:
                self._judge()
            groups = self._groups()
            yield [
                Trial(task.stem, task.paths, task.problem, task.is_missing, group)
                for task in self._tasks[first:last]
                for group in groups
            ]

    def take(self, stem: str, tried: Any) -> None:
        """The results of a trial."""
        self.digests[stem] = tried.digests
        of_image = self._found.setdefault(stem, {})
        for options, result in zip(tried.settings, tried.results, strict=True):
            of_image[self._position[_key(options)]] = result

    def standings(self) -> list[Any]:
        """A Standing for each setting, in the order of the contest."""
        from wsstools.core.evaluation.metrics import scores
        from wsstools.core.evaluation.race import Standing

        found = []
        for position, setting in enumerate(self.contest.settings):
            stems = [stem for stem in self.stems if position in self._found[stem]]
            found.append(
                Standing(
                    parameters=setting.parameters,
                    mean_iou=scores(self._total(position, stems)).mean_iou,
                    n_images=len(stems),
                    is_out=position in self._left_after,
                    is_paper=position == self.contest.paper,
                    is_contender=position < self.contest.n_contenders,
                )
            )
        return found

    def has_pixels(self) -> bool:
        """Whether there is anything to compare: a pixel with a class in an image that went well."""
        return any(found["cells"] for stem in self.stems for found in self._found[stem].values())

    def warnings(self) -> list[str]:
        """What the trials of the images that went well warned of."""
        results = (found for stem in self.stems for found in self._found[stem].values())
        return [result["warning"] for result in results if result["warning"]]

    def _is_good(self, stem: str) -> bool:
        return stem in self._found and stem not in self.failed

    def _groups(self) -> list[tuple[dict[str, Any], ...]]:
        """The settings that are left, those that share their preparation together."""
        groups: dict[tuple, list[dict[str, Any]]] = {}
        for position in self._living:
            setting = self.contest.settings[position]
            key = tuple(setting.parameters[name] for name in PREPARED_BY[setting.method])
            groups.setdefault(key, []).append(setting.options())
        return [tuple(group) for group in groups.values()]

    def _judge(self) -> None:
        """Let the hopeless leave; the paper's setting stays, so that it can be compared."""
        import numpy as np

        from wsstools.core.evaluation.race import survivors

        stems = self.stems
        contenders = [k for k in self._living if k < self.contest.n_contenders]
        if not stems:
            return
        rng = np.random.default_rng([self._seed, len(stems)])
        stays = survivors(self._confusions(contenders, stems), rng)
        for position, is_left in zip(contenders, stays, strict=True):
            if not is_left and position != self.contest.paper:
                self._left_after[position] = len(stems)
                self._living.remove(position)

    def _confusions(self, positions: Sequence[int], stems: Sequence[str]) -> Any:
        """Confusion matrices over the classes that occur, (S, N, C, C)."""
        import numpy as np

        from wsstools.core.evaluation.metrics import N_VALUES

        results = [[self._found[stem][k] for stem in stems] for k in positions]
        cells = sorted({cell for row in results for found in row for cell in found["cells"]})
        classes = sorted({v for cell in cells for v in divmod(cell, N_VALUES)})
        place = {value: k for k, value in enumerate(classes)}
        confusions = np.zeros((len(positions), len(stems), len(classes), len(classes)), np.int64)
        for row, per_image in zip(confusions, results, strict=True):
            for matrix, found in zip(row, per_image, strict=True):
                for cell, count in zip(found["cells"], found["counts"], strict=True):
                    gt, label = divmod(cell, N_VALUES)
                    matrix[place[gt], place[label]] = count
        return confusions

    def _total(self, position: int, stems: Sequence[str]) -> Any:
        """The confusion matrix of a setting summed over images, (256, 256) int64."""
        import numpy as np

        from wsstools.core.evaluation.metrics import N_VALUES

        total = np.zeros(N_VALUES * N_VALUES, np.int64)
        for stem in stems:
            found = self._found[stem][position]
            total[found["cells"]] += found["counts"]
        return total.reshape(N_VALUES, N_VALUES)


def try_settings(
    probability_map: Any, image: Any, gt: Any, settings: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """The confusion matrix of each setting on one image: its cells that are not 0, their counts.

    The settings agree in the parameters of PREPARED_BY. The soft map is rounded as its file would
    be, so that `wss regularize`, `wss argmax` and `wss score` give the same numbers.
    """
    from wsstools.core.evaluation.metrics import confusion_matrix
    from wsstools.core.map_operations import argmax_labels
    from wsstools.formats.map_files import as_stored

    prepared = Regularizer.of(settings[0]).prepared(image)
    for options in settings:
        computed = Regularizer.of(options)(probability_map, image, prepared)
        matrix = confusion_matrix(argmax_labels(as_stored(computed.value)), gt).ravel()
        cells = matrix.nonzero()[0]
        yield {
            "cells": cells.tolist(),
            "counts": matrix[cells].tolist(),
            "warning": computed.warning,
        }


def is_confusion(result: Any) -> bool:
    """Whether a value that was read is what `try_settings` gives."""
    from wsstools.core.evaluation.metrics import N_VALUES

    if not isinstance(result, dict) or result.keys() != {"cells", "counts", "warning"}:
        return False
    cells, counts = result["cells"], result["counts"]
    return (
        isinstance(cells, list)
        and isinstance(counts, list)
        and len(cells) == len(counts)
        and all(isinstance(n, int) and n >= 0 for n in (*cells, *counts))
        and max(cells, default=0) < N_VALUES * N_VALUES
        and isinstance(result["warning"], (str, type(None)))
    )


def _key(options: Mapping[str, Any]) -> tuple:
    return tuple(sorted(options.items()))
