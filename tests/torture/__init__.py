"""Faults that a long run meets, each tried at random moments of every command."""
