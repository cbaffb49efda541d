"""Keras models: two branches and what joins them."""
