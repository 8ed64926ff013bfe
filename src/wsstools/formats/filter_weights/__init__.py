"""Filters of trained networks, from the forms in which weights circulate."""
