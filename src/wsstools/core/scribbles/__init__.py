"""Annotations and the scribbles that they draw."""
