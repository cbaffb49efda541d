"""The shortest way through a whole run."""

from pathlib import Path

from dualnet.config import Config
from dualnet.config_layers import read_config


def configure(data: Path, cache: Path, *overrides: str, preset: str = "xnet") -> Config:
    """A configuration that trains in seconds."""
    return read_config(
        preset=preset,
        overrides=[
            f"data.path={data}",
            f"data.cache={cache}",
            "data.image_size=32",
            "data.workers=1",
            "split.train=0.5",
            "split.val=0.25",
            "split.test=0.25",
            "training.epochs=1",
            "training.batch_size=8",
            "training.tensorboard=false",
            "evaluation.resamples=20",
            *overrides,
        ],
    )
