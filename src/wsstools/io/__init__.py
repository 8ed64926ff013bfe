"""The only layer that knows files."""
