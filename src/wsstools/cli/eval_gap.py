"""`wss eval-gap`: how much of the gap to full supervision a strategy closes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, List, Optional

import typer

from wsstools.cli.options import AsJson, RunOptions, Seed

_Entries = Optional[List[str]]


@dataclass(frozen=True)
class StudyOptions:
    """Folders of a study besides the strategies."""

    gt: Annotated[Optional[str], typer.Option("--gt", metavar="DIR", help="Ground truth.")] = None
    full: Annotated[
        Optional[str],
        typer.Option("--full", metavar="DIR", help="Labels predicted under full supervision."),
    ] = None
    baseline: Annotated[
        Optional[str],
        typer.Option("--baseline", metavar="DIR", help="Labels predicted by the baseline."),
    ] = None
    study: Annotated[
        Optional[str],
        typer.Option(
            "--study",
            metavar="FILE",
            help="Folders from a CSV file, a line per strategy: name,val and, where there are, "
            "group, pfa and train; paths are relative to the file.",
        ),
    ] = None
    pfa: Annotated[
        _Entries,
        typer.Option(
            "--pfa",
            metavar="NAME=DIR",
            help="Labels of the training images that a strategy trains on; may be repeated.",
        ),
    ] = None
    train: Annotated[
        _Entries,
        typer.Option(
            "--train",
            metavar="NAME=DIR",
            help="Labels that its network predicts for the training images; may be repeated.",
        ),
    ] = None
    train_ids: Annotated[
        Optional[str],
        typer.Option(
            "--train-ids", metavar="FILE", help="Names of the training images, one per line."
        ),
    ] = None
    train_gt: Annotated[
        Optional[str],
        typer.Option(
            "--train-gt",
            metavar="DIR",
            help="Ground truth of the training images. Default: that of --gt.",
            show_default=False,
        ),
    ] = None


def eval_gap(
    folders: StudyOptions,
    run: RunOptions,
    strategies: Annotated[
        Optional[List[str]],
        typer.Argument(
            metavar="NAME=DIR...",
            help="Labels predicted by each strategy's network; NAME=DIR,DIR for several seeds, "
            "GROUP/NAME=DIR for several networks.",
        ),
    ] = None,
    scores: Annotated[
        Optional[str],
        typer.Option(
            "--scores",
            metavar="FILE",
            help="Take mIoUs from a CSV file (name,miou with the rows full and baseline) instead "
            "of folders; numbers above 1 are percent. Further columns: group, pfa, train, "
            "printed_reduction (percent; checked), source.",
        ),
    ] = None,
    bootstrap: Annotated[
        int,
        typer.Option(
            "--bootstrap",
            metavar="N",
            min=0,
            help="Resamples of the images for 95 % intervals; 0: none. 2000 are plenty.",
        ),
    ] = 0,
    against: Annotated[
        Optional[str],
        typer.Option(
            "--against",
            metavar="NAME",
            help="The strategy (NAME or GROUP/NAME) whose difference to all others gets an "
            "interval. Default: the best of each group.",
            show_default=False,
        ),
    ] = None,
    seed: Seed = 0,
    band: Annotated[
        Optional[str],
        typer.Option(
            "--band",
            metavar="N,...",
            help="Add the mIoU of the pixels within N pixels of another class.",
        ),
    ] = None,
    void_is_border: Annotated[
        bool,
        typer.Option(
            "--void-is-border",
            help="With --band: within N pixels of what the ground truth leaves out (255), too; "
            "in PASCAL VOC that covers the borders.",
        ),
    ] = False,
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Add the gap of each class (JSON always has it).")
    ] = False,
    published: Annotated[
        bool,
        typer.Option(
            "--published", help="Show published results on PASCAL VOC 2012 beside, marked."
        ),
    ] = False,
    format_: Annotated[
        str,
        typer.Option("--format", metavar="FORM", help="table, csv, json, markdown or latex."),
    ] = "table",
    as_json: AsJson = False,
) -> None:
    """Print the gap table: full supervision, baseline, strategies.

    full gap = mIoU(full) - mIoU(baseline); remaining gap = mIoU(full) - mIoU(strategy); gap
    reduction = (full gap - remaining gap) / full gap. The mIoU of a folder comes from one
    confusion matrix, as wss score gives it. All folders must hold the same images.

    Several networks or ways of testing (multi-scale, CRF) are groups with a full and a baseline
    of their own: GROUP/full=DIR GROUP/baseline=DIR GROUP/NAME=DIR. Several folders after one name
    are seeds: their mean counts, and their standard deviation is told.

    Intervals say how far a number moves if other images of the same kind are drawn; another
    training run moves it too, which only seeds show. Differences are paired: both strategies see
    the same resamples. A gap reduction whose full gap may be nothing has no bound.

    \b
    Examples:
      wss eval-gap --gt gt/ --full full/ --baseline base/ combined=combined/
      wss eval-gap --gt gt/ --study study.csv --train-ids train.txt --bootstrap 2000 --band 1,2,4
      wss eval-gap --scores table1.csv --published --format latex
    """
    from wsstools.core.evaluation.study import Study, given_rows
    from wsstools.errors import UsageError
    from wsstools.formats.score_files import read_published, read_scores
    from wsstools.view.gap_tables import STUDY_FORMATS

    form = "json" if as_json else format_
    if form not in STUDY_FORMATS:
        raise UsageError(f"--format {form}: expected one of {', '.join(STUDY_FORMATS)}")
    if scores is not None:
        if strategies or bootstrap or against or band or any(vars(folders).values()):
            raise UsageError("--scores takes the place of the folders; give one or the other")
        found = Study(given_rows(read_scores(scores)))
    elif published and not (strategies or any(vars(folders).values())):
        found = Study(())
    else:
        measure = _Measure(bootstrap, against, seed, band, void_is_border)
        found = _measured(folders, strategies or [], measure, run)
    if published:
        rows = [*found.rows, *given_rows(read_published())]
        found = Study(rows, found.differences, found.class_names, found.facts)
    print(STUDY_FORMATS[form](found, per_class))


@dataclass(frozen=True)
class _Measure:
    """How a study is measured, as the options say it."""

    bootstrap: int
    against: str | None
    seed: int
    band: str | None
    void_is_border: bool


def _measured(
    folders: StudyOptions, strategies: Sequence[str], measure: _Measure, run: RunOptions
) -> Any:
    from wsstools.core.evaluation.study import Key
    from wsstools.errors import UsageError
    from wsstools.formats.study_files import read_study
    from wsstools.running.sources import Selection, read_ids
    from wsstools.steps.study import Plan, measured_study

    given = (
        {"val": {}, "pfa": {}, "train": {}} if folders.study is None else read_study(folders.study)
    )
    frame = [
        f"{name}={folder}"
        for name, folder in (("full", folders.full), ("baseline", folders.baseline))
        if folder is not None
    ]
    val = _joined(given["val"], [*frame, *strategies])
    pfa = _joined(given["pfa"], folders.pfa or [])
    train = _joined(given["train"], folders.train or [])
    if folders.gt is None or not val:
        raise UsageError("give --gt, --full and --baseline (or --study FILE or --scores FILE)")
    _check_frames(val)
    if measure.void_is_border and measure.band is None:
        raise UsageError("--void-is-border says where bands are; give their widths with --band")
    if measure.against is not None and not measure.bootstrap:
        raise UsageError("--against needs --bootstrap N")
    group, _, name = (measure.against or "").rpartition("/")
    against = Key(group, name) if measure.against else None
    if against and against not in val:
        raise UsageError(f"--against {against}: there is {', '.join(map(str, val))}")
    train_ids = folders.train_ids
    plan = Plan(
        val=val,
        pfa=pfa,
        train=train,
        gt=folders.gt,
        train_gt=folders.train_gt or folders.gt,
        train_selection=None if train_ids is None else Selection(read_ids(train_ids)),
        widths=_widths(measure.band),
        void_is_border=measure.void_is_border,
        n_resamples=measure.bootstrap,
        seed=measure.seed,
        against=against,
    )
    return measured_study(plan, run)


def _joined(given: dict, entries: Sequence[str]) -> dict:
    """The folders of a study file and of the command line."""
    from wsstools.errors import UsageError
    from wsstools.formats.study_files import parse_entry

    joined = dict(given)
    for entry in entries:
        key, places = parse_entry(entry)
        if key in joined:
            raise UsageError(
                f"{entry}: {key} stands twice; expected NAME=DIR with a name of its own"
            )
        joined[key] = places
    return joined


def _check_frames(val: dict) -> None:
    from wsstools.core.evaluation.gap import BASELINE, FULL
    from wsstools.core.evaluation.study import Key, groups
    from wsstools.errors import UsageError

    for group in groups(val):
        for name in (FULL, BASELINE):
            if Key(group, name) not in val:
                how = f"{group}/{name}=DIR" if group else f"--{name} DIR"
                raise UsageError(f"no labels under the name {Key(group, name)}: give {how}")


def _widths(text: str | None) -> tuple[int, ...]:
    from wsstools.errors import UsageError

    if text is None:
        return ()
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"--band {text}: expected widths in pixels, such as 1,2,4,8")
    return tuple(sorted({int(part) for part in parts}))
