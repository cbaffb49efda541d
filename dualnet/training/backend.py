"""What only the back end knows: its device, its determinism. The one door to it."""

import platform
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import keras

CPUINFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")
AMPERE = (8, 0)  # NVIDIA's first compute capability with bfloat16


@dataclass(frozen=True, kw_only=True)
class Device:
    """The device that Keras will use.

    Args:
        kind: `"cpu"`, or an accelerator, `"gpu"` or `"tpu"`.
        name: As the device calls itself.
        has_bfloat16: Whether bfloat16 is faster on it than float32.
        why: Why it is, or is not.
    """

    kind: str
    name: str
    has_bfloat16: bool
    why: str


def find_device(cpuinfo: Path = CPUINFO) -> Device:
    """Finds the device of the Keras back end.

    Args:
        cpuinfo: Where Linux describes the processor.

    Returns:
        The first accelerator, else the processor.
    """
    accelerator = _ACCELERATORS[keras.backend.backend()]()
    return accelerator or describe_cpu(cpuinfo, backend=keras.backend.backend())


def describe_cpu(cpuinfo: Path, *, backend: str) -> Device:
    """Describes the processor.

    Args:
        cpuinfo: Where Linux describes it; absent elsewhere.
        backend: `"tensorflow"`, `"jax"` or `"torch"`.

    Returns:
        The processor; with bfloat16 only where that was measured to be faster, which
        is TensorFlow's oneDNN on AMX or AVX512-BF16.
    """
    text = cpuinfo.read_text("utf-8") if cpuinfo.is_file() else ""
    name = _field(text, "model name") or platform.processor() or "unknown"
    flags = set(_field(text, "flags").split())
    found = [flag for flag in BFLOAT16_FLAGS if flag in flags]
    if not found:
        why = f"the processor has neither {' nor '.join(BFLOAT16_FLAGS)}"
    elif backend != "tensorflow":
        why = f"bfloat16 on a processor is not measured with {backend}"
    else:
        why = f"the processor has {' and '.join(found)}"
    fast = bool(found) and backend == "tensorflow"
    return Device(kind="cpu", name=name, has_bfloat16=fast, why=why)


def make_deterministic(seed: int) -> None:
    """Makes the same seed give the same bits on one machine.

    Layers and batches have seeds of their own; this is for what the back end decides:
    the order in which an accelerator sums.

    Args:
        seed: The run's seed.
    """
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import_module("tensorflow").config.experimental.enable_op_determinism()
    if keras.backend.backend() == "torch":
        import_module("torch").use_deterministic_algorithms(True)


def name_backend() -> str:
    """Returns the name of the Keras back end: `tensorflow`, `jax` or `torch`."""
    return keras.backend.backend()


def list_devices() -> tuple[str, ...]:
    """Lists the devices that Keras can use at once: accelerators, else processors.

    Returns:
        Their names, one or more; of torch always one.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        tf = import_module("tensorflow")
        kinds = (tf.config.list_logical_devices(kind) for kind in ("GPU", "CPU"))
        return tuple(device.name for device in next(filter(None, kinds)))
    if backend == "jax":
        return tuple(keras.distribution.list_devices())
    return ("torch",)  # Keras divides nothing among torch's devices


@contextmanager
def spread_over(names: Sequence[str]) -> Iterator[None]:
    """Divides every batch of what is built and fitted inside among devices.

    Args:
        names: Some of `list_devices()`, more than one.

    Yields:
        Nothing.
    """
    if keras.backend.backend() == "tensorflow":
        scope = import_module("tensorflow").distribute.MirroredStrategy(names).scope()
    else:
        parallel = keras.distribution.DataParallel(devices=list(names))
        scope = parallel.scope()
    with scope:
        yield


def count_replicas() -> int:
    """Returns how many devices a batch is divided among here, inside `spread_over`."""
    if keras.backend.backend() == "tensorflow":
        strategy = import_module("tensorflow").distribute.get_strategy()
        return strategy.num_replicas_in_sync
    parallel = keras.distribution.distribution()
    return 1 if parallel is None else parallel.num_model_replicas


def read_peak_memory() -> tuple[str, int] | None:
    """Returns the most memory that this process has used until now.

    Returns:
        `"device"`, the accelerator's, of the fullest where there are several, or
        `"process"`, the resident memory, where a processor computes; and bytes. None
        where neither tells.
    """
    peaks = _PEAKS[keras.backend.backend()]()
    if peaks:
        return "device", max(peaks)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return ("process", 1024 * kilobytes) if platform.system() == "Linux" else None


def sync_variables(model: Any) -> None:
    """Brings a model's variables up to date while it is being fitted.

    On JAX `fit` keeps them itself from batch to batch.

    Args:
        model: The model; its next batch begins with what its variables then hold.
    """
    if keras.backend.backend() == "jax":
        model.jax_state_sync()


def read_versions() -> dict[str, str]:
    """Returns the versions that a run depends on, by name."""
    names = ("keras", keras.backend.backend(), "numpy", "pandas", "pillow")
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in names},
    }


def _field(cpuinfo: str, name: str) -> str:
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _tensorflow_accelerator() -> Device | None:
    tf = import_module("tensorflow")
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return None
    details = tf.config.experimental.get_device_details(gpus[0])
    capability = details.get("compute_capability", (0, 0))
    return _gpu(details.get("device_name", "GPU"), capability)


def _jax_accelerator() -> Device | None:
    device = import_module("jax").devices()[0]
    if device.platform == "cpu":
        return None
    if device.platform == "tpu":
        why = "a TPU computes in bfloat16"
        return Device(kind="tpu", name=device.device_kind, has_bfloat16=True, why=why)
    capability = str(getattr(device, "compute_capability", "0.0")).split(".")
    return _gpu(device.device_kind, tuple(int(part) for part in capability))


def _torch_accelerator() -> Device | None:
    torch = import_module("torch")
    if not torch.cuda.is_available():
        return None
    capability = torch.cuda.get_device_capability()
    return _gpu(torch.cuda.get_device_name(), capability)


def _gpu(name: str, capability: tuple[int, ...]) -> Device:
    text = ".".join(str(part) for part in capability)
    return Device(
        kind="gpu",
        name=name,
        has_bfloat16=capability >= AMPERE,
        why=f"the GPU has compute capability {text}, bfloat16 begins at 8.0",
    )


def _tensorflow_peaks() -> list[int]:
    config = import_module("tensorflow").config
    return [
        config.experimental.get_memory_info(f"GPU:{number}")["peak"]
        for number in range(len(config.list_logical_devices("GPU")))
    ]


def _jax_peaks() -> list[int]:
    devices = import_module("jax").devices()
    statistics = [device.memory_stats() or {} for device in devices]
    return [
        one["peak_bytes_in_use"] for one in statistics if "peak_bytes_in_use" in one
    ]


def _torch_peaks() -> list[int]:
    cuda = import_module("torch").cuda
    return [cuda.max_memory_allocated()] if cuda.is_available() else []


_PEAKS = {
    "tensorflow": _tensorflow_peaks,
    "jax": _jax_peaks,
    "torch": _torch_peaks,
}
_ACCELERATORS = {
    "tensorflow": _tensorflow_accelerator,
    "jax": _jax_accelerator,
    "torch": _torch_accelerator,
}
