"""Fitting a model: recipe, precision, epochs, and what a run keeps of them."""
