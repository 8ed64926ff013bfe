"""A function mapped over joined folders: sources, workers, outputs, messages."""
