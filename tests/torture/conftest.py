"""How faults are tried: how often, at which moments, and the table of their outcomes."""

from __future__ import annotations

import functools
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from torture.desk import Desk, Undisturbed
from torture.runs import counting
from torture.scenes import IS_SHORT, STEPS, TRIES, draw_data

SEED = int(os.environ.get("WSS_TORTURE_SEED", "0"))
_KEY = "torture"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.torture)


@pytest.fixture
def tries(record_property: Callable[[str, object], None]) -> Callable[[str, str], Iterator]:
    """`tries(fault, step)`: a random generator for each try; counts them in the table."""

    def count(fault: str, step: str, most: int | None = None) -> Iterator[np.random.Generator]:
        number = TRIES if most is None else min(TRIES, most)
        record_property(_KEY, f"{fault}\t{step}\t{number}")
        for k in range(number):
            yield np.random.default_rng([SEED, k, *os.fsencode(f"{fault} {step}")])

    return count


@pytest.fixture
def note(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """A remark on what was seen, for the last column of the table."""
    return lambda text: record_property(f"{_KEY} note", text)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data, which no run may change."""
    root = tmp_path_factory.mktemp("torture") / "data"
    draw_data(root)
    first = Desk(root, root.parent / "first")
    table = first.outcome(
        ["eval-gap", "--gt", "gt", "--full", "full", "--baseline", "labels", "a=full", "--json"]
    )
    assert table.code == 0, table.err
    (root / "gap.json").write_text(table.out)
    return root


@pytest.fixture(scope="session")
def undisturbed(
    data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Undisturbed]:
    """What a command leaves and prints that nothing disturbs, and how long it takes."""

    @functools.cache
    def of(name: str) -> Undisturbed:
        desk = Desk(data, tmp_path_factory.mktemp("undisturbed"))
        touches = desk.folder / "touches"
        began = time.monotonic()
        outcome = desk.outcome_of(STEPS[name], sabotage=functools.partial(counting, touches))
        seconds = time.monotonic() - began
        assert outcome.code == 0, outcome.err
        return Undisturbed(outcome, desk.written(), seconds, touches.stat().st_size)

    return of


@pytest.fixture
def new_desk(data: Path, tmp_path: Path) -> Iterator[Callable[[], Desk]]:
    """A place with the data, for a try; at the end no run may have changed the data."""
    desks: list[Desk] = []

    def lay() -> Desk:
        if desks:
            desks[-1].remove()
        desks.append(Desk(data, tmp_path / f"desk{len(desks)}"))
        return desks[-1]

    yield lay
    for desk in desks[-1:]:
        desk.check_data()
        desk.remove()
    shutil.rmtree(tmp_path, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table: fault, step, times tried, result."""
    rows: dict[tuple[str, str], list[str]] = defaultdict(list)
    for result in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(result, []):
            properties = dict(report.user_properties)
            if report.when == "call" and _KEY in properties:
                fault, step, number = str(properties[_KEY]).split("\t")
                remark = properties.get(f"{_KEY} note")
                message = result if remark is None else f"{result}: {remark}"
                rows[fault, step] = [number, message]
    if not rows or IS_SHORT:
        return
    terminalreporter.section("faults")
    widths = [max(len(key[k]) for key in rows) for k in (0, 1)]
    terminalreporter.line(f"{'fault':{widths[0]}}  {'step':{widths[1]}}  tries  result")
    for (fault, step), (number, message) in rows.items():
        terminalreporter.line(f"{fault:{widths[0]}}  {step:{widths[1]}}  {number:>5}  {message}")
