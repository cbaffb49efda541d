"""What the channels of a model look for: kernels, and the patches that excite them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dualnet.data.images import read_image
from dualnet.errors import ConfigError
from dualnet.explain.activations import activation_layers, first_filters
from dualnet.explain.patches import TopPatches, crop_patch, find_patches
from dualnet.explain.receptive_fields import ReceptiveField, compute_receptive_field
from dualnet.jobs.finished import FinishedRun, load_model
from dualnet.jobs.picture_sample import draw_one_a_patient, read_batches, take_part
from dualnet.jobs.visualize_rows import name_model
from dualnet.plots.activation_patches import ChannelPatches, StagePatches
from dualnet.plots.activation_views import say_kind
from dualnet.plots.patch_pages import PatchPage
from dualnet.wording import number_of

if TYPE_CHECKING:
    import keras

NUM_PICTURES = 500  # unless somebody says another number
MAX_CHANNELS = 12  # a stage; more rows are not looked through


def find_filters(
    run: FinishedRun,
    *,
    part: str = "test",
    sample: int | None = None,
    layers: Sequence[str] | None = None,
) -> PatchPage:
    """Finds what excites the channels of a run's model most.

    Args:
        run: Whose model to look into.
        part: Part of the run's radiographs.
        sample: Radiographs at most, one a patient; none: `NUM_PICTURES`.
        layers: Layer names or patterns; none: all stages. Those that are no maps are
            left aside.

    Returns:
        The page.

    Raises:
        ConfigError: If the model sees no pictures, or no named layer has maps.
    """
    modality = run.config.model.modality
    if modality == "metadata":
        raise ConfigError(
            "--filters: needs a model that sees pictures. "
            f"Received: modality={modality}. Name another run."
        )
    table = take_part(run, part)
    most = sample or NUM_PICTURES
    table = draw_one_a_patient(table, most=most, seed=run.config.seed)
    model = load_model(run)
    found = find_patches(model, read_batches(run, table), layers)
    filters = first_filters(model)
    if filters is None or not found:
        raise ConfigError(
            "--layers: must name a layer that makes maps. Received: vectors alone. "
            "Name a convolution or a pooling, such as image_conv_1."
        )
    kinds = dict(activation_layers(model, layers))
    pictures = _Pictures(run, table)
    return PatchPage(
        title=f"Filters of run {run.folder.path.name}",
        lead=f"What excites each channel most, of {number_of(len(table), 'radiograph')} "
        f"of the {part} part, one a patient. {name_model(run)}",
        filters=filters,
        stages=[
            _make_stage(
                model, name, say_kind(kinds[name], run.activation), top, pictures
            )
            for name, top in found.items()
        ],
    )


class _Pictures:
    """The radiographs, read again where a patch is cut out of them."""

    def __init__(self, run: FinishedRun, table: pd.DataFrame) -> None:
        self.size = run.config.data.image_size
        self._paths = [Path(path) for path in table["path"]]
        self._read: dict[int, np.ndarray] = {}

    def __getitem__(self, row: int) -> np.ndarray:
        if row not in self._read:
            self._read[row] = read_image(self._paths[row], image_size=self.size)
        return self._read[row]


def _make_stage(
    model: "keras.Model", name: str, kind: str, top: TopPatches, pictures: _Pictures
) -> StagePatches:
    field = compute_receptive_field(model, name)
    strongest = np.argsort(-top.answers[:, 0], kind="stable")[:MAX_CHANNELS]
    shown = [channel for channel in strongest.tolist() if not top.dead[channel]]
    size = pictures.size if field is None else min(field.size, pictures.size)
    return StagePatches(
        name=name,
        kind=kind,
        channels=[_cut(top, channel, field, pictures) for channel in shown],
        num_channels=len(top.answers),
        num_dead=int(top.dead.sum()),
        num_pictures=top.num_pictures,
        size=size,
        whole=size == pictures.size,
    )


def _cut(
    top: TopPatches, channel: int, field: ReceptiveField | None, pictures: _Pictures
) -> ChannelPatches:
    above = top.answers[channel] > 0  # a channel that is silent shows no more
    return ChannelPatches(
        channel=channel,
        answers=top.answers[channel][above],
        patches=[
            crop_patch(pictures[row], field, place)
            for row, place in zip(
                top.rows[channel][above].tolist(),
                top.places[channel][above].tolist(),
                strict=True,
            )
        ],
    )
