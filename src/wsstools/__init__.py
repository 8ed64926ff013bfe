"""From scribbles to segmentation networks, one Unix-style step at a time."""

__version__ = "0.1.0"
