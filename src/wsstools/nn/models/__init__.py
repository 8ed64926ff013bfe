"""Networks: what they are, and the files of their weights."""
