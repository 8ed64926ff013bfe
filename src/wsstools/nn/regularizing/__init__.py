"""Losses on a network's own probabilities, which regularize what labels leave open."""
