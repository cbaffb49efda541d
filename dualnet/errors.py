"""Errors that a person can act on, drawn as a tree.

    DualNetError
    ├── RecordError   a table, a row, a label or a split
    ├── ConfigError   a preset, a configuration file, an option
    ├── ImageError    one picture
    ├── CacheError    the packed cache
    ├── RunError      a run folder
    ├── StorageError  a file cannot be written: full disk, no permission
    └── DownloadError a file cannot be had, or is not the one that was published

Each derives from `ValueError` too. A message is one line,
`where: expected. Received: … What to do.`, and never holds a patient's name or
number: it names the file's line or the `image_id`.
"""


class DualNetError(ValueError):
    """Base of every error that dualnet raises for bad input."""


class RecordError(DualNetError):
    """A table, a row, a label or a split is not as it must be."""


class ConfigError(DualNetError):
    """A preset, a configuration file or an option is not as it must be."""


class ImageError(DualNetError):
    """A picture cannot be read, or is not one that a radiograph can be."""


class CacheError(DualNetError):
    """The packed cache is absent, foreign, incomplete or damaged."""


class RunError(DualNetError):
    """A run folder is absent, incomplete or of another version."""


class StorageError(DualNetError):
    """A file cannot be written: the disk is full, or it is not allowed."""


class DownloadError(DualNetError):
    """A file cannot be had, or is not the one that its publisher names."""
