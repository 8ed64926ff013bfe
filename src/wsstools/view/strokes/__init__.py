"""What is said of strokes: those that may be wrong, and where to draw others."""
