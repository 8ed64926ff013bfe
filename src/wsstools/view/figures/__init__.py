"""Figures by matplotlib: numbers in, drawings out that become files or part of a page."""
