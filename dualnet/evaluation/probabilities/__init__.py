"""Whether probabilities are true, and from where on a finding is called."""
