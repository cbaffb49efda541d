"""Memory that nothing uses any more, given back to the system."""

import ctypes
import sys


def release_unused() -> None:
    """Gives back what the allocators of C and Arrow keep for later.

    After NIH's table of 112,120 rows was read that is 50 MB, which would stand below
    all that follows. Does nothing where the C library is not glibc.

    Reference:
        malloc_trim(3); Arrow's `MemoryPool.release_unused`.
    """
    arrow = sys.modules.get("pyarrow")
    if arrow is not None:
        arrow.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
