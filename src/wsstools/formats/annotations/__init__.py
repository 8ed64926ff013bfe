"""Annotations of other programs, one format a module."""
