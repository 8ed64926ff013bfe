"""Pages of the site that are made from what exists: the overview, the commands and the Python API.

A hook of MkDocs (`mkdocs.yml`). The overview is README.md; the page of a command is its stored help
with the sections of docs/commands/NAME.md; the API is that of `wsstools.__all__`. Links to files of
the repository outside of docs/ become their paths.
"""

from __future__ import annotations

import re

from manual import COMMANDS_FOLDER, DOCS_FOLDER, HELP_FOLDER
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from wsstools.cli.main import command_names

ROOT = DOCS_FOLDER.parent
STUB = ROOT / "src" / "wsstools" / "__init__.pyi"
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)]*)?\)")
_OUTSIDE = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((\.\./)+(?P<path>[^)#]+)[^)]*\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages of the commands to the navigation."""
    (reference,) = (part["Reference"] for part in config.nav or [] if "Reference" in part)
    (commands,) = (part["Commands"] for part in reference if "Commands" in part)
    commands += [{f"wss {name}": f"commands/{name}.md"} for name in command_names()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and pictures that are not in docs/."""

    def add(path: str, content: str | bytes) -> None:
        known = files.get_file_from_path(path)
        if known is not None:
            files.remove(known)
        files.append(File.generated(config, path, content=content))

    add("index.md", of_repository((ROOT / "README.md").read_text()))
    add("contributing.md", of_repository((ROOT / "CONTRIBUTING.md").read_text()))
    add("api.md", api())
    rows = [f"- [`wss {name}`]({name}.md): {first_sentence(name)}\n" for name in command_names()]
    add("commands/index.md", "# Commands\n\n" + "".join(rows))
    for name in command_names():
        page = COMMANDS_FOLDER / f"{name}.md"
        more = page.read_text() if page.is_file() else ""
        add(f"commands/{name}.md", f"# wss {name}\n\n```text\n{help_of(name)}```\n\n{more}")
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """A page whose links to files outside of docs/ are their paths."""
    return _OUTSIDE.sub(lambda link: f"{link['text']} (`{link['path']}`)", markdown)


def of_repository(markdown: str) -> str:
    """A page of the repository's folder with its links as from docs/."""

    def moved(link: re.Match[str]) -> str:
        target = link["target"]
        if target.startswith("docs/"):
            return f"[{link['text']}]({target.removeprefix('docs/')}{link['anchor'] or ''})"
        if "://" in target:
            return link[0]
        return f"{link['text']} (`{target}`)"

    return _LINK.sub(moved, markdown).replace("](docs/", "](")  # what is left are pictures


def help_of(name: str) -> str:
    """The stored help of a command."""
    return (HELP_FOLDER / f"{name}.txt").read_text()


def first_sentence(name: str) -> str:
    """What a command does, from its help."""
    text = help_of(name).split("\n\n")[1]
    return " ".join(text.split()).split(". ")[0].rstrip(".") + "."


def api() -> str:
    """A page of the public functions, each with its docstring."""
    modules = re.findall(r"^from \.([\w.]+) import (.+)$", STUB.read_text(), re.MULTILINE)
    names = sorted((name, module) for module, line in modules for name in line.split(", "))
    blocks = [f"::: wsstools.{module}.{name}\n" for name, module in names]
    intro = "`import wsstools as wss` gives these; [how they are used](python.md).\n"
    return "# Python\n\n" + intro + "\n" + "\n".join(blocks)
