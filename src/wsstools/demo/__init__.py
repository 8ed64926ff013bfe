"""The drawn scenes of the demo."""
