"""The options that several commands share, and how they reach the configuration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

PRESET_FOLDER = Path(__file__).parent / "presets"
# read here, and not by dualnet.config, which takes a tenth of a second to load
PRESETS = sorted(file.stem for file in PRESET_FOLDER.glob("*.yaml"))

FolderToWrite = Annotated[Path, typer.Argument(help="Folder to write.")]
Out = Annotated[Path, typer.Option("--out", help="Folder to write.")]
Run = Annotated[Path, typer.Argument(help="Run folder.")]
Data = Annotated[
    Path | None, typer.Option("--data", help="Dataset folder; none: the phantom.")
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="nih, chest_xray, covid_radiography, dicom or table; none: found out.",
    ),
]
Mapping = Annotated[
    str | None,
    typer.Option("--mapping", help="A table's columns: chexpert, padchest or a file."),
]
Pictures = Annotated[
    Path | None,
    typer.Option("--pictures", help="Folder of the table's pictures, if another."),
]
CacheFolder = Annotated[
    Path | None, typer.Option("--cache", help="Cache folder; none: cache/<dataset>-….")
]
Join = Annotated[
    list[str] | None,
    typer.Option(
        "--join", help="Groups from TABLE or TABLE:column,…; may be repeated."
    ),
]
AdjudicatedTable = Annotated[
    Path | None,
    typer.Option("--adjudicated", help="Radiologists' labels; none: the dataset's."),
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Pictures at once; none: one a core.")
]
Preset = Annotated[str, typer.Option("--preset", help=f"One of {', '.join(PRESETS)}.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="YAML laid over the preset.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Decides what is drawn.")]
TrainingPatients = Annotated[
    str,
    typer.Option(
        "--training-patients",
        help="Patients that a model was fitted on: refuse, leave-out or score.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="stage.key=value; may be repeated."),
]


def all_overrides(
    overrides: Sequence[str] | None, *, seed: int | None = None, **data: object
) -> list[str]:
    """Says the options that were given as the configuration's overrides.

    Args:
        overrides: Those of `--set`, which come last and so are followed.
        seed: Decides what is drawn; None: not given.
        **data: Values by name, `data` being the dataset's path; None: not given.

    Returns:
        `data.key=value` for each option that was given, the seed, and `overrides`.
    """
    keys = [f"data.{'path' if name == 'data' else name}" for name in data]
    named = {**dict(zip(keys, data.values(), strict=True)), "seed": seed}
    given = [f"{key}={value}" for key, value in named.items() if value is not None]
    return [*given, *(overrides or [])]
