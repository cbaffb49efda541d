"""Precision and compilation: what `auto` means on this machine, and why."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import keras

from dualnet.training.backend import Device

T = TypeVar("T")


@dataclass(frozen=True)
class Choice(Generic[T]):
    """What was chosen, and why: the run folder keeps both.

    Args:
        value: The choice.
        reason: Why, in words.
    """

    value: T
    reason: str


def resolve_precision(setting: str, device: Device) -> Choice[str]:
    """Chooses the precision that a model computes in.

    `auto` is `mixed_bfloat16` where the device makes it faster, else `float32`.
    Weights, logits and probabilities are float32 in either.

    Args:
        setting: `"auto"`, or a Keras dtype policy.
        device: The device that will compute.

    Returns:
        The name of a Keras dtype policy.
    """
    if setting != "auto":
        return Choice(setting, "as configured")
    value = "mixed_bfloat16" if device.has_bfloat16 else "float32"
    return Choice(value, device.why)


def resolve_compilation(
    setting: str,
    device: Device,
    *,
    backend: str | None = None,
    num_devices: int = 1,
) -> Choice[bool]:
    """Chooses whether a model is compiled just in time.

    `auto` compiles with TensorFlow's XLA on an accelerator and never on a processor,
    where convolutions then train 3 to 10 times slower (17 to 2 pictures a second,
    X-Net at 256 pixels, TensorFlow 2.21). JAX is made to be compiled, everywhere.

    Args:
        setting: `"auto"`, `"xla"` or `"none"`.
        device: The device that will compute.
        backend: The Keras back end; none: the one in use.
        num_devices: How many share a batch.

    Returns:
        What Keras takes as `jit_compile`.
    """
    backend = backend or keras.backend.backend()
    if setting != "auto":
        return Choice(setting == "xla", "as configured")
    if backend == "jax":
        return Choice(True, "JAX compiles always")
    if backend == "torch":
        return Choice(False, "not measured with torch")
    if num_devices > 1:
        return Choice(False, "XLA is not measured with several devices")
    if device.kind == "cpu":
        return Choice(False, "XLA makes convolutions slower on a processor")
    return Choice(True, "XLA on an accelerator")


@contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Builds what is inside under a Keras dtype policy, then puts the old one back.

    Args:
        name: The policy.

    Yields:
        Nothing.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
