"""The main jobs, one a command: the command line, scripts and notebooks call them."""
