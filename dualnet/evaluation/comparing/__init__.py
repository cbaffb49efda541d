"""Predictions of the same radiographs side by side."""
