"""Options that commands share, and how a group of them becomes part of a command."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Optional, get_type_hints

import typer

if TYPE_CHECKING:
    from wsstools.running.sources import Selection, Source
    from wsstools.running.step import RunSettings

FOLDER_HELP = "folder, a single file, or - for paths on standard input"

Images = Annotated[str, typer.Argument(metavar="IMAGES", help=f"Images: {FOLDER_HELP}.")]
ImagesOption = Annotated[
    Optional[str],
    typer.Option("--images", metavar="DIR", help="The images, joined with the maps by name."),
]
Maps = Annotated[str, typer.Argument(metavar="MAPS", help=f"Probability maps: {FOLDER_HELP}.")]
Out = Annotated[
    str, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to; made if missing.")
]
NClasses = Annotated[
    Optional[int],
    typer.Option(
        "--n-classes",
        metavar="N",
        min=1,
        max=255,
        help="Number of classes; default: the lines of classes.txt in or beside the folder "
        "of scribbles or labels.",
    ),
]
WeightsDir = Annotated[
    Optional[str],
    typer.Option(
        "--weights-dir",
        metavar="DIR",
        envvar="WSS_WEIGHTS",
        help="Folder to look into for published weights before downloading them.",
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", metavar="N", min=0, help="Seed of everything left to chance.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


@dataclasses.dataclass(frozen=True)
class SelectOptions:
    """Which images a command takes."""

    ids: Annotated[
        Optional[str],
        typer.Option("--ids", metavar="FILE", help="Take only the names in FILE, one per line."),
    ] = None
    shard: Annotated[
        Optional[str],
        typer.Option("--shard", metavar="I/N", help="Take the I-th of N shares, for job arrays."),
    ] = None
    null: Annotated[
        bool,
        typer.Option("--null", "-0", help="Paths in pipes end with NUL instead of newline."),
    ] = False

    def selection(self) -> Selection:
        """The stems that these options choose."""
        from wsstools.running.sources import Selection, parse_shard, read_ids

        return Selection(
            ids=None if self.ids is None else read_ids(self.ids),
            shard=None if self.shard is None else parse_shard(self.shard),
            null=self.null,
        )

    def source(self, argument: str, suffixes: tuple[str, ...], what: str) -> Source:
        """The files that a folder argument names."""
        from wsstools.running.sources import Source

        return Source(argument, suffixes, what, null=self.null)


@dataclasses.dataclass(frozen=True)
class RunOptions(SelectOptions):
    """How a per-image step runs."""

    jobs: Annotated[
        int,
        typer.Option("--jobs", "-j", metavar="N", min=0, help="Workers; 0: one per core."),
    ] = 0
    backend: Annotated[
        str,
        typer.Option(
            "--backend", metavar="NAME", help="Workers are loky (processes), threading or dask."
        ),
    ] = "loky"
    scheduler: Annotated[
        Optional[str],
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="With --backend dask: address of the scheduler of a cluster, or the file that it "
            "wrote; default: a cluster on this machine.",
        ),
    ] = None

    def pool(self) -> Any:
        """The workers."""
        from wsstools.running.workers import Pool

        return Pool(self.jobs, self.backend, self.scheduler)


@dataclasses.dataclass(frozen=True)
class StepOptions(RunOptions):
    """How a step that writes a folder runs."""

    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace outputs that another step or other options made."
        ),
    ] = False

    def settings(self) -> RunSettings:
        """What io.steps.run_step takes."""
        from wsstools.running.step import RunSettings

        return RunSettings(self.selection(), self.pool(), self.overwrite)


def expanded(function: Callable) -> Callable:
    """The function with every parameter that is a dataclass of options spread into its fields.

    They come after the function's own parameters. Typer builds the options from the signature
    that this gives; the call gathers them again.
    """
    hints = get_type_hints(function, include_extras=True)
    own, shared = [], []
    groups: dict[str, tuple[Any, list[str]]] = {}
    for parameter in inspect.signature(function).parameters.values():
        kind = hints[parameter.name]
        if not dataclasses.is_dataclass(kind):
            own.append(parameter.replace(annotation=kind))
            continue
        fields = get_type_hints(kind, include_extras=True)
        groups[parameter.name] = (kind, list(fields))
        shared += [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=fields[field.name],
            )
            for field in dataclasses.fields(kind)
        ]

    @functools.wraps(function)
    def gathered(**values: Any) -> Any:
        for name, (kind, names) in groups.items():
            values[name] = kind(**{field: values.pop(field) for field in names})
        return function(**values)

    ordered = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own + shared]
    gathered.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    gathered.__annotations__ = {p.name: p.annotation for p in ordered}
    del gathered.__wrapped__  # type: ignore[attr-defined]
    return gathered


def class_count(n_classes: int | None, *places: str) -> int:
    """The number of classes: as given, or the lines of the classes.txt that travels along."""
    from wsstools.errors import UsageError
    from wsstools.formats.label_files import find_class_names

    if n_classes is not None:
        return n_classes
    names = find_class_names(*places)
    if names is None:
        raise UsageError(
            f"how many classes? there is no classes.txt in or beside {places[0]}; "
            "write one (a name per line, from class 0 on) or give --n-classes"
        )
    return len(names)
