"""What native code prints is kept back, and shown when something fails."""

import os

import keras
import pytest

from dualnet.framework import hidden_native_errors, load_framework


def test_native_lines_are_kept_back(capfd: pytest.CaptureFixture[str]) -> None:
    with hidden_native_errors():
        os.write(2, b"chatter\n")
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"


def test_native_lines_are_shown_when_the_block_raises(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(KeyError), hidden_native_errors():
        os.write(2, b"the reason\n")
        raise KeyError
    assert capfd.readouterr().err == "the reason\n"


def test_load_framework_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    load_framework()
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="its own logger")
def test_warnings_for_who_writes_a_model_are_not_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    import tensorflow

    load_framework()
    tensorflow.get_logger().warning("retracing")
    tensorflow.get_logger().error("out of memory")
    assert [record.message for record in caplog.records] == ["out of memory"]
