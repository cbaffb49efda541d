"""SIGTERM and SIGINT: work ends where it can be gone on with, not in its middle."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(KeyboardInterrupt):
    """Raised where work ends because a signal asked for it.

    Like its base it is no `Exception`: nothing that mends errors takes it for one.

    Args:
        signum: The signal.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum

    @property
    def status(self) -> int:
        """Exit status: 0 for SIGTERM, as a batch queue ends what it may start again."""
        return 0 if self.signum == signal.SIGTERM else 128 + self.signum


class StopRequest:
    """What the first signal asks for: an end at once, or where work comes to a point.

    The second signal ends the process.
    """

    def __init__(self) -> None:
        self._signum: int | None = None
        self._held = 0

    @property
    def asked(self) -> bool:
        """Whether a signal came."""
        return self._signum is not None

    def raise_if_asked(self) -> None:
        """Ends the work if a signal came.

        Raises:
            Stopped: If it did.
        """
        if self._signum is not None:
            raise Stopped(self._signum)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds a signal back until the block asks for it, or ends.

        Yields:
            Nothing.
        """
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        self.raise_if_asked()

    def receive(self, signum: int, frame: FrameType | None = None) -> None:
        """Takes a signal, as its handler.

        Args:
            signum: The signal.
            frame: Where it came; not used.

        Raises:
            Stopped: If the work need not come to a point first.
        """
        del frame
        if self._signum is not None:
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)
        self._signum = signum
        if not self._held:
            raise Stopped(signum)


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turns SIGTERM and SIGINT into a request; other threads than the main get none.

    Yields:
        The request.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {signum: signal.signal(signum, stop.receive) for signum in SIGNALS}
    try:
        yield stop
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
