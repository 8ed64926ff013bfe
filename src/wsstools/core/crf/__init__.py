"""The fully connected CRF."""
