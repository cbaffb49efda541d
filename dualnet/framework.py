"""Loads Keras and its back end, without what they print on every start."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def load_framework() -> None:
    """Imports Keras and finds the devices; what they print meanwhile is kept back.

    TensorFlow's libraries write a dozen lines to standard error (which instructions it
    was built for, that there is no GPU) before its own log level is heard. They are
    shown if loading fails. Where there is an accelerator, `environment.json` names it.
    Later warnings of TensorFlow are for who writes a model, such as that several small
    models were traced in a row; errors are shown.
    """
    with hidden_native_errors():
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow

            tensorflow.config.list_physical_devices()
            tensorflow.get_logger().setLevel("ERROR")


@contextmanager
def hidden_native_errors() -> Iterator[None]:
    """Keeps back what native code writes to standard error, unless the block raises.

    Python's own `sys.stderr` goes the same way: both write to file descriptor 2.

    Yields:
        Nothing.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            hidden.seek(0)
            os.write(kept, hidden.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
