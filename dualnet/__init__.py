"""dualnet: classifiers that read a chest radiograph with the patient's record.

Trains, judges and looks inside them. Not a medical device. `import dualnet`
loads no framework: the public names are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from dualnet.config import Config as Config
    from dualnet.config_layers import read_config as read_config
    from dualnet.data.readers import read_records as read_records
    from dualnet.errors import DualNetError as DualNetError
    from dualnet.models.dual import build_dual_classifier as build_dual_classifier
    from dualnet.runs import RunFolder as RunFolder

__all__ = [
    "Config",
    "DualNetError",
    "RunFolder",
    "__version__",
    "build_dual_classifier",
    "read_config",
    "read_records",
]

_PUBLIC = {
    "Config": "dualnet.config",
    "read_config": "dualnet.config_layers",
    "read_records": "dualnet.data.readers",
    "DualNetError": "dualnet.errors",
    "build_dual_classifier": "dualnet.models.dual",
    "RunFolder": "dualnet.runs",
}


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'dualnet' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
