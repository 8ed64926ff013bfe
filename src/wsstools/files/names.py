"""Names by which files join: what counts of a path, which files count, and why nothing joins."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

_DOUBLE_ENDINGS = (".ome.tif", ".ome.tiff", ".nii.gz")
"""Endings that are one, though they hold two dots."""
_LONGEST_ENDING = max(map(len, _DOUBLE_ENDINGS))
_COLUMNS = re.compile(r"[\s,;]+")
_HEADING = re.compile(
    r"(case|image|img|file|stem|path)?[ _-]?(id|ids|name|case|image|img|file|stem|path)"
)
"""What the first column of a table of images is called."""
_NUMBER = re.compile(r"[0-9]+")
_PLACE = re.compile(r"_[xyz][0-9]{4,}")
"""Where a slice is in its volume."""
_NO_CLASS_IDS = re.compile(r"colou?r|instance|polygon|panoptic", re.IGNORECASE)
_EXAMPLES = 3
_MOST_GUESSES = 50
"""Names that are looked at to find out why nothing joins."""
_MOST_KINDS = 8
"""Files of an image in a folder, of which a suffix chooses one."""
_MOST_CHANNELS = 4
"""The same where they differ in a number alone: more are slices."""


@dataclass(frozen=True)
class NameRule:
    """How the name of an image follows from the path of one of its files.

    The name is that of the file without folder and ending, in Unicode's normal form C, so that
    names of macOS and of Linux are equal.

    Attributes
    ----------
    suffixes : tuple of str
        Ends such as `_leftImg8bit` that are no part of an image's name. Where names in a folder
        end so, only these files count.
    is_recursive : bool
        Files in subfolders count; their names begin with the path of the subfolder.
    """

    suffixes: tuple[str, ...] = ()
    is_recursive: bool = False

    def name(self, path: str | PurePath) -> str:
        """The image's name of a file, without its folder."""
        return self.without_suffix(plain_name(os.path.basename(path)))

    def names(self, files: Iterable[str]) -> Iterator[tuple[str, str]]:
        """The image's name and the file, of each file that counts; paths relative to a folder."""
        named = [(plain_name(file), file) for file in files]
        if not self.suffixes:
            return iter(named)
        ended = [(name, file) for name, file in named if name.endswith(self.suffixes)]
        if not ended:
            return iter(named)
        return ((self.without_suffix(name), file) for name, file in ended)

    def listed_names(self, line: str) -> list[str]:
        """What a line of a list of names may mean, the likeliest first.

        It is a name, or a path, or the first column of several.
        """
        whole = unicodedata.normalize("NFC", line.strip())
        found = []
        for text in (whole, first_column(whole)):
            for name in (text, plain_name(text), plain_name(os.path.basename(text))):
                found += [name, self.without_suffix(name)]
        return [name for name in dict.fromkeys(found) if name]

    def without_suffix(self, name: str) -> str:
        """A name, its ending gone already, without the suffix that it may have."""
        for suffix in sorted(self.suffixes, key=len, reverse=True):
            if name.endswith(suffix) and len(os.path.basename(name)) > len(suffix):
                return name[: -len(suffix)]
        return name


def first_column(line: str) -> str:
    """The first of the columns of a line, without quotation marks."""
    if line.startswith('"'):
        return line[1:].partition('"')[0]
    return _COLUMNS.split(line)[0]


def is_heading(line: str) -> bool:
    """Whether the first line of a table names its columns: several, or one in quotation marks."""
    first = first_column(line)
    return first != line and _HEADING.fullmatch(first.lower()) is not None


def plain_name(path: str) -> str:
    """A path without its ending, in normal form C: `a.ome.tif` is `a`, `x/b.png` is `x/b`."""
    text = path if path.isascii() else unicodedata.normalize("NFC", path)
    folder, slash, name = text.rpartition("/")
    ending = name[-_LONGEST_ENDING:].lower()
    double = next((e for e in _DOUBLE_ENDINGS if ending.endswith(e)), None)
    stem = name[: -len(double)] if double else name.rpartition(".")[0]
    return f"{folder}{slash}{stem or name}"


def last_number(name: str) -> int | None:
    """The last number in a name, such as that of a slice; None without any."""
    digits = _NUMBER.findall(name)
    return int(digits[-1]) if digits else None


def named_examples(names: Sequence[str]) -> str:
    """A few of the names, for a message: `'a', 'b', 'c' and 4 more`."""
    shown = ", ".join(repr(name) for name in names[:_EXAMPLES])
    rest = len(names) - _EXAMPLES
    return f"{shown} and {rest} more" if rest > 0 else shown


def why_nothing_joins(first: Sequence[str], second: Sequence[str]) -> str:
    """The likeliest reason why no name of one folder is a name of another, as a sentence.

    Parameters
    ----------
    first, second : sequence of str
        The names, sorted; neither is empty, and none is in both.
    """
    suffixes = _differing_suffixes(first, second)
    infixes = None if suffixes else _differing_infixes(first, second)
    first, second = first[:_MOST_GUESSES], second[:_MOST_GUESSES]
    pair = f"{first[0]!r} and {second[0]!r}"
    if _meet(first, second, _base_name):
        return f"they are in other subfolders: {pair}"
    if _meet(first, second, str.casefold):
        return f"they differ in upper and lower case: {pair}"
    if suffixes:
        return f"their names end differently: {pair}; try --suffix {','.join(suffixes)}"
    if infixes is not None:
        return f"their names differ before the end: {pair} {infixes}"
    padded = _other_zeros(first, second)
    if padded is not None:
        return f"their numbers are written with other zeros: {padded[0]!r} and {padded[1]!r}"
    return (
        f"names are joined without folder and ending: {pair}; they must be equal up to a suffix "
        "(--suffix)"
    )


def _meet(first: Sequence[str], second: Sequence[str], key: Callable[[str], str]) -> bool:
    """Whether some names are equal under a key."""
    return bool({key(name) for name in first} & {key(name) for name in second} - {""})


def _base_name(name: str) -> str:
    return os.path.basename(name)


def _other_zeros(first: Sequence[str], second: Sequence[str]) -> tuple[str, str] | None:
    """Two names with as many numbers, of which the last are equal but for zeros in front."""
    found = {}
    for name in second:
        if digits := _NUMBER.findall(name):
            found[len(digits), int(digits[-1])] = name, digits[-1]
    for name in first:
        digits = _NUMBER.findall(name)
        other, same = found.get((len(digits), int(digits[-1])), ("", "")) if digits else ("", "")
        if other and same != digits[-1]:
            return name, other
    return None


def _differing_suffixes(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    """Ends of the names without which most of the fewer names join, or none.

    Of several, such as those of Cityscapes, the ends of class ids, then those that join most. None
    that hold numbers of images: these would join slices of different places, or one slice of all.
    """
    shorter, longer = sorted((first, second), key=len)
    some, others = shorter[:_MOST_GUESSES], set(longer)
    ends = {_ends(one, other) for one in some for other in _most_alike(one, longer[:_MOST_GUESSES])}
    found: dict[tuple[str, ...], int] = {}
    for suffixes in sorted(ends - {()}):
        if not _leave_no_image_out(suffixes, some, longer[:_MOST_GUESSES]):
            continue
        names = {name for name, _ in NameRule(suffixes).names(some)}
        n_joined = sum(any(name + end in others for end in (*suffixes, "")) for name in names)
        if 2 * n_joined >= len(names) and _MOST_KINDS * len(names) >= len(some):
            found[suffixes] = n_joined
    return max(found, key=lambda suffixes: (_are_of_ids(suffixes), found[suffixes]), default=())


def _leave_no_image_out(suffixes: tuple[str, ...], *folders: Sequence[str]) -> bool:
    """Whether the suffixes leave out, of one folder at most, files of other kinds alone.

    Files of two or more images that end like a suffix, but for the number, are kinds if they are
    few, such as channels, and else other images. Where the suffixes hold different numbers, or one
    holds the place of a slice, images of two numbers would join.
    """
    numbers = [*map(_NUMBER.findall, suffixes)]
    if (all(numbers) and numbers[0] != numbers[-1]) or any(map(_PLACE.search, suffixes)):
        return False
    left_out = []
    for names in folders:
        counted = [name for name in names if name.endswith(suffixes)]
        left_out.append(set(names).difference(counted or names))
    for suffix in suffixes:
        like = re.compile("[0-9]+".join(map(re.escape, _NUMBER.split(suffix))) + r"\Z")
        found = [*filter(None, map(like.search, set().union(*left_out)))]
        n_images = len({match.string[: match.start()] for match in found})
        n_kinds = 1 + len({match.group() for match in found})
        if found and (n_images < 2 or n_kinds > _MOST_CHANNELS):
            return False
    return not all(left_out)


def _differing_infixes(first: Sequence[str], second: Sequence[str]) -> str | None:
    """What is between a start and an end that most of the fewer names share with others.

    As the end of a sentence, which says what to do; None if there is nothing.
    """
    shorter, longer = sorted((first, second), key=len)
    some, others = shorter[:_MOST_GUESSES], set(longer)
    candidates = {
        _infixes(one, other) for one in some for other in _most_alike(one, longer[:_MOST_GUESSES])
    }
    for old, new, end in sorted(filter(None, candidates)):
        if not (all(old in name for name in shorter) and all(new in name for name in longer)):
            continue
        n_joined = sum(not others.isdisjoint(_replaced(name, old, new)) for name in some)
        if 2 * n_joined >= len(some):
            infixes = [infix for infix in ((old, new) if shorter is first else (new, old)) if infix]
            shown = " and ".join(map(repr, infixes))
            text = f"({shown}); they must be equal up to a suffix"
            if _PLACE.fullmatch(end):
                text += f": cut the volumes again with wss slices --suffix {','.join(infixes)}"
            return text
    return None


def _infixes(one: str, other: str) -> tuple[str, str, str] | None:
    """What is between the start and the end of two names that they share, and this end."""
    start = _cut_start(one, other)
    ends = one[start:], other[start:]
    end = _shared_start(ends[0][::-1], ends[1][::-1])
    while end and any(name[len(name) - end].isalnum() for name in ends):
        end -= 1
    if not start or not end:
        return None
    infixes = ends[0][:-end], ends[1][:-end]
    return None if all(map(_NUMBER.search, infixes)) else (*infixes, ends[0][-end:])


def _replaced(name: str, old: str, new: str) -> Iterator[str]:
    """The name with `new` in one of the places where it has `old`."""
    for place in range(1, len(name)):
        if name.startswith(old, place):
            yield f"{name[:place]}{new}{name[place + len(old) :]}"


def _most_alike(one: str, others: Sequence[str]) -> list[str]:
    """The names that have the longest start with a name in common."""
    longest = max(_shared_start(one, other) for other in others)
    return [other for other in others if _shared_start(one, other) == longest]


def _ends(one: str, other: str) -> tuple[str, ...]:
    """What follows the start that two names have in common, cut before a sign; none without one."""
    start = _cut_start(one, other)
    return tuple(end for end in (one[start:], other[start:]) if end) if start else ()


def _cut_start(one: str, other: str) -> int:
    """How many letters at their starts are equal and come before a sign."""
    start = _shared_start(one, other)
    while 0 < start < max(len(one), len(other)) and not _begins_suffix(one, other, start):
        start -= 1
    return start


def _are_of_ids(suffixes: Sequence[str]) -> bool:
    """Whether no suffix is that of pictures that show, or number, something else than classes."""
    return not any(_NO_CLASS_IDS.search(suffix) for suffix in suffixes)


def _shared_start(one: str, other: str) -> int:
    """How many letters at their starts are equal."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((k for k, (a, b) in pairs if a != b), min(len(one), len(other)))


def _begins_suffix(one: str, other: str, start: int) -> bool:
    """Whether both names may be cut there: at an end, or before a sign."""
    return all(not name[start : start + 1].isalnum() for name in (one, other))


def listed_name(name: str) -> str:
    """A name as a line of a list: one that would be read as a comment is in quotation marks."""
    return f'"{name}"' if name.startswith("#") and '"' not in name else name
