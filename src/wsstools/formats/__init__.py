"""One format a module: bytes to objects and back."""
