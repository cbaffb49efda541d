"""Why the model says what it says: numbers only; `dualnet.plots` draws them."""
