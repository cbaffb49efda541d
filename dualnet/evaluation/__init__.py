"""How good a model is: scores, intervals by patient, baselines beside, a verdict."""
