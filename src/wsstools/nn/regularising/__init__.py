"""Losses on a network's own probabilities, which regularise what labels leave open."""
