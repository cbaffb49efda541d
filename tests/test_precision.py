from pathlib import Path

import keras
import pytest

from dualnet.training import backend
from dualnet.training.backend import Device, describe_cpu, find_device
from dualnet.training.precision import (
    dtype_policy,
    resolve_compilation,
    resolve_precision,
)

CPUINFO = """processor\t: 0
model name\t: Example CPU @ 2.00GHz
flags\t\t: fpu sse2 avx2 avx512f {flags}

processor\t: 1
model name\t: Example CPU @ 2.00GHz
"""


@pytest.fixture
def cpuinfo(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "cpuinfo"
    path.write_text(CPUINFO.format(flags=request.param))
    return path


def make_device(*, kind: str = "cpu", has_bfloat16: bool = False) -> Device:
    return Device(kind=kind, name="a device", has_bfloat16=has_bfloat16, why="because")


@pytest.mark.parametrize(
    ("cpuinfo", "chosen", "why"),
    [
        ("amx_bf16 amx_tile", "mixed_bfloat16", "the processor has amx_bf16"),
        ("avx512_bf16", "mixed_bfloat16", "the processor has avx512_bf16"),
        (
            "avx512_bf16 amx_bf16",
            "mixed_bfloat16",
            "the processor has amx_bf16 and avx512_bf16",
        ),
        ("", "float32", "the processor has neither amx_bf16 nor avx512_bf16"),
        ("avx512_vnni", "float32", "the processor has neither"),
    ],
    indirect=["cpuinfo"],
)
def test_auto_follows_the_flags_of_the_processor(cpuinfo: Path, chosen: str, why: str):
    device = describe_cpu(cpuinfo, backend="tensorflow")
    assert device.name == "Example CPU @ 2.00GHz"
    choice = resolve_precision("auto", device)
    assert choice.value == chosen
    assert choice.reason.startswith(why)


@pytest.mark.parametrize("cpuinfo", ["amx_bf16"], indirect=True)
def test_auto_is_float32_on_a_processor_with_a_back_end_not_measured(cpuinfo: Path):
    device = describe_cpu(cpuinfo, backend="jax")
    choice = resolve_precision("auto", device)
    assert choice.value == "float32"
    assert choice.reason == "bfloat16 on a processor is not measured with jax"


def test_processor_without_cpuinfo_computes_in_float32(tmp_path: Path):
    device = describe_cpu(tmp_path / "absent", backend="tensorflow")
    assert resolve_precision("auto", device).value == "float32"


@pytest.mark.parametrize("setting", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_named_precision_is_kept(setting: str):
    choice = resolve_precision(setting, make_device(has_bfloat16=setting == "float32"))
    assert (choice.value, choice.reason) == (setting, "as configured")


@pytest.mark.parametrize(
    ("capability", "chosen"),
    [((7, 5), "float32"), ((8, 0), "mixed_bfloat16"), ((12, 0), "mixed_bfloat16")],
)
def test_auto_follows_the_compute_capability_of_a_gpu(capability, chosen: str):
    device = backend._gpu("a GPU", capability)
    choice = resolve_precision("auto", device)
    assert choice.value == chosen
    assert f"{capability[0]}.{capability[1]}" in choice.reason


@pytest.mark.parametrize(
    ("setting", "kind", "name", "compiled"),
    [
        ("auto", "cpu", "tensorflow", False),
        ("auto", "gpu", "tensorflow", True),
        ("auto", "cpu", "jax", True),
        ("auto", "gpu", "torch", False),
        ("xla", "cpu", "tensorflow", True),
        ("none", "gpu", "tensorflow", False),
    ],
)
def test_compilation(setting: str, kind: str, name: str, compiled: bool):
    choice = resolve_compilation(setting, make_device(kind=kind), backend=name)
    assert choice.value is compiled
    assert choice.reason


def test_device_of_this_machine_is_found():
    device = find_device()
    assert device.kind in ("cpu", "gpu", "tpu")
    assert device.name


def test_policy_is_put_back_even_after_an_error():
    before = keras.config.dtype_policy().name
    with pytest.raises(KeyError), dtype_policy("mixed_bfloat16"):
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        raise KeyError
    assert keras.config.dtype_policy().name == before
