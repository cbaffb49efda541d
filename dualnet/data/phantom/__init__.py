"""Synthetic frontal chest radiographs in NIH's format, with known truth.

The embedded default data, the test data, and the ground truth of later work: what
the picture tells, what the record tells beyond it, where each finding is.
"""

from dualnet.data.phantom.writer import is_phantom, make_phantom

__all__ = ["is_phantom", "make_phantom"]
