"""A training as it goes on: figures of an epoch, curves, and a page of them."""
