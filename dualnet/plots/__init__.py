"""Arrays to figures: no model is called here, nothing is shown on a screen."""
