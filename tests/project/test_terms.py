"""One word for each idea, in code, options, help and docs; and none of a private vocabulary."""

from __future__ import annotations

import re
from pathlib import Path

import manual
from builders import REPOSITORY

SYNONYMS = {
    "scribble": "squiggles?|scrawls?",
    "stem": "base name|file stem|image id",
    "map": "score maps?|probability volumes?|heatmaps? of classes",
    "soft map": "soft segmentations?|softmax maps?",
    "local map": "local predictions?|local probabilities",
    "global map": "global predictions?|global probabilities",
    "local model": "per-image models?|local classifiers?",
    "predicted full annotation": "pseudo.?labels?|pseudo.?masks?|pseudo.?annotations?",
    "ground truth": "ground-truth|groundtruth|gold standard|reference labels?|true labels",
    "IoU": "jaccard|ious? score",
    "Dice": "dsc|sorensen|dice score",
    "HD95": "95hd|hausdorff 95|hd_95",
    "frame": "reference networks?",
    "baseline": "base.line",
    "gap": "performance gap|supervision gap",
    "gap reduction": "gap closure|closing ratio|gap recovery",
    "bootstrap": "boot.strap|jackknife",
    "Potts model": "potts.mrf|potts.prior",
    "duality gap": "primal.dual gap|dual gap",
    "CRF": "conditional-random|dense crf|full crf",
    "bilateral kernel": "appearance kernel|colour kernel",
    "spatial kernel": "smoothness kernel|position kernel",
    "mean field": "meanfield|mean-field",
    "lattice": "permutohedral grid|hash grid",
    "prune": "drop classes|skip classes",
    "filter bank": "filter-bank|bank of filters",
    "random forest": "decision forest|randomi[sz]ed forest",
    "boosting": "boosted trees|gradient.boosted",
    "random walk": "random-walks?|diffusion walk",
    "backbone": "encoder|feature extractor",
    "poly schedule": "polynomial (decay|schedule)|poly (decay|policy)",
    "checkpoint": "snapshots?|check-point|restart file",
    "record": "provenance record|history record",
    "stale": "out.of.date|outdated|obsolete",
    "shard": "array share|image split",
}
"""Each term of docs/terms.md, and a pattern of the words that are not used for it."""

SPELLINGS = {
    "colour": "colors",
    "grey": "gray",
    "labelled": "(un)?labeled",
    "neighbour": "neighbors?",
    "normalize": "(de)?normalis(e[ds]?|ing|ation)",
    "recognize": "recognis(e[ds]?|ing)",
    "regularize": "regularis(e[drs]?|ing|ation)",
    "summarize": "summaris(e[ds]?|ing)",
}
"""The same of words that are spelt in two ways."""

PRIVATE = (
    "told|tells?|stands?|stood|lies?|dear|dearer|mends?|mended|at hand|in sight|elsewhere|"
    "what came of"
)
"""Words for which the field has others: `printed`, `is`, `missing`, ..."""

FOREIGN = {
    "docs/export.md": "colors",  # a key of exported files
    "docs/commands/export.md": "colors",
    "formats/exported_files.py": "colors",
    "steps/scribbles.py": "colors",  # a key of records
    "cli/renaming.py": "colors",  # the old name of an option
    "files/npy.py": "tell",  # a method of files
    "training/loop.py": "regulariser",  # a key of checkpoints
}
"""Words that a file must use, since they are names of others or of files that exist."""

FOLDERS = ("src", "docs", "examples", "benchmarks", "tools")
KINDS = {".py", ".md", ".mk", ".j2", ".css", ".js", ".csv", ".txt", ".sh", ".toml"}
PATTERN = re.compile(
    rf"\b({'|'.join([*SYNONYMS.values(), *SPELLINGS.values(), PRIVATE])})\b", re.IGNORECASE
)


def pages() -> list[Path]:
    """What readers of the project see: code, help, docs and examples."""
    found = [path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*")]
    pages = [path for path in found if path.suffix in KINDS or path.name == "Makefile"]
    return [
        *pages,
        *(
            REPOSITORY / name
            for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile")
        ),
    ]


def test_every_term_has_its_synonyms():
    assert list(SYNONYMS) == list(manual.glossary())


def test_synonyms_are_found():
    for words in ("a Pseudo-labels", "is told", "gray", "snapshots of", "regularisation"):
        assert PATTERN.search(words), words
    for words in ("a scribble", "is taller", "greyscale", "regularization", "the standing"):
        assert not PATTERN.search(words), words


def test_each_idea_has_one_word():
    wrong = []
    for path in pages():
        name = path.relative_to(REPOSITORY).as_posix()
        if "out" in path.parts or "__pycache__" in path.parts:
            continue
        allowed = {word for end, word in FOREIGN.items() if name.endswith(end)}
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for match in PATTERN.finditer(line):
                if match[0].lower() not in allowed:
                    wrong.append(f"{name}:{number}: {match[0]}")
    assert not wrong, "\n".join(wrong)
