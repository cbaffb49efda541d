"""How sure a score or a difference is: resamples of patients, and tests."""
