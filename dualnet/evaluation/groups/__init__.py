"""Scores by group of patients, and by where a label stands or who gave it."""
