"""Public datasets, brought to this machine whole: resumed, checked, safely unpacked."""


class Stopped(Exception):  # noqa: N818 - asked for, not an error
    """The work was told to stop; what has come is kept."""
