"""Convolutions that are fast to train on a GPU."""
