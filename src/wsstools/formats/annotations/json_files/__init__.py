"""Annotations that programs write as JSON, one format a module."""
