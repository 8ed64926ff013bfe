"""Volumes: their slices, intensities and values, as arrays (Z, Y, X)."""
