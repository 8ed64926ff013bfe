"""The local model: a classifier per image, trained on its own scribbles."""
