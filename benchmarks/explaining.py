"""Looking inside: activations beside plain prediction, heat maps beside a loop.

    python benchmarks/explaining.py --branch residual
    python benchmarks/explaining.py --branch densenet121 --pictures 64 --looped 3

Arms run in turns: `predict`, twice, the null pair; the activations of all stages; Grad-CAM in
batches; and the Grad-CAM of Keras' example, which is called for one picture at a time
and makes its model anew each time, as it is written there.

Reference:
    keras.io, Code examples, Grad-CAM class activation visualization: the function
    `make_gradcam_heatmap`, for two inputs.
"""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rounds import describe_machine, describe_rate, describe_ratio, run_rounds

from dualnet.explain.activations import read_activations
from dualnet.explain.heat_maps import compute_heat_maps
from dualnet.findings import NIH
from dualnet.framework import load_framework
from dualnet.models.dual import build_dual_classifier

NUM_FEATURES = 9
SETTLE = 2  # rounds before the first that counts: traces, and memory touched

Inputs = Mapping[str, np.ndarray]


def make_inputs(num_pictures: int, size: int) -> dict[str, np.ndarray]:
    """Makes pictures and records of noise; the time does not depend on them."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (num_pictures, size, size, 1))
    records = random.normal(size=(num_pictures, NUM_FEATURES))
    return {"image": pictures.astype("float32"), "metadata": records.astype("float32")}


def cut_batches(inputs: Inputs, batch_size: int) -> list[dict[str, np.ndarray]]:
    """Cuts the rows into batches."""
    num_rows = len(inputs["image"])
    return [
        {name: values[start : start + batch_size] for name, values in inputs.items()}
        for start in range(0, num_rows, batch_size)
    ]


def map_one(inputs: Inputs, model: Any, layer: str, column: int) -> np.ndarray:
    """Keras' `make_gradcam_heatmap`, of a logit."""
    last = model.get_layer("logits").output
    grad_model = keras.models.Model(model.inputs, [model.get_layer(layer).output, last])
    with tf.GradientTape() as tape:
        maps, logits = grad_model([inputs[one.name] for one in model.inputs])
        chosen = logits[:, column]
    gradient = tape.gradient(chosen, maps)
    pooled = tf.reduce_mean(gradient, axis=(0, 1, 2))
    heat_map = tf.squeeze(maps[0] @ pooled[..., tf.newaxis])
    heat_map = tf.maximum(heat_map, 0) / tf.math.reduce_max(heat_map)
    return heat_map.numpy()


def make_arms(
    model: Any, inputs: Inputs, *, batch_size: int, looped: int
) -> dict[str, Callable[[], int]]:
    """Returns what is compared."""
    batches = cut_batches(inputs, batch_size)
    singles = cut_batches(inputs, 1)[:looped]
    num_rows = len(inputs["image"])
    columns = np.zeros(num_rows, int)
    layer = compute_heat_maps(model, batches[0], columns[:batch_size]).layer

    def predict() -> int:
        model.predict(inputs, batch_size=batch_size, verbose=0)
        return num_rows

    def activate() -> int:
        for _ in read_activations(model, batches):
            pass
        return num_rows

    def map_all() -> int:
        compute_heat_maps(
            model, inputs, columns, method="grad_cam", batch_size=batch_size
        )
        return num_rows

    def loop() -> int:
        for single in singles:
            map_one(single, model, layer, 0)
        return len(singles)

    return {
        "predict": predict,
        "predict again": predict,
        "activations": activate,
        "grad_cam": map_all,
        "example": loop,
    }


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--branch", default="residual")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--looped", type=int, default=10, help="pictures of the loop")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    load_framework()
    print(describe_machine())
    model = build_dual_classifier(
        image_size=options.size,
        num_features=NUM_FEATURES,
        class_names=NIH.class_names,
        image_branch=options.branch,
        seed=0,
    )
    arms = make_arms(
        model,
        make_inputs(options.pictures, options.size),
        batch_size=options.batch_size,
        looped=options.looped,
    )
    run_rounds(arms, SETTLE)
    rates, processor = run_rounds(arms, options.rounds)
    print(f"{options.branch}, {options.size} pixels, batches of {options.batch_size}")
    for name in arms:
        print(f"  {name:14} {describe_rate(rates[name])} pictures/s")
    for text, name, base in (
        ("null pair", "predict again", "predict"),
        ("time of activations to predict", "predict", "activations"),
        ("grad_cam to predict", "grad_cam", "predict"),
        ("grad_cam to example", "grad_cam", "example"),
    ):
        wall = describe_ratio(rates, name, base)
        used = describe_ratio(processor, name, base)
        print(f"  {text}: {wall}, by processor time {used}")


if __name__ == "__main__":
    main()
