from .core.api import argmax, dense_crf, fuse, potts, score
from .core.evaluation.gap import gap_table
from .core.local.forest import random_forest
from .core.local.random_walker import random_walker
from .core.maps import ProbabilityMap
from .formats.map_files import read_map, write_map
from .nn.api import load_model, predict

__version__: str
__all__ = [
    "ProbabilityMap",
    "argmax",
    "dense_crf",
    "fuse",
    "gap_table",
    "load_model",
    "potts",
    "predict",
    "random_forest",
    "random_walker",
    "read_map",
    "score",
    "write_map",
]
