"""What has come of a file so far: its bytes, and whose they are.

    images_001.tar.gz.part       the first bytes of the file, in order
    images_001.tar.gz.part.json  where they came from

The second is written before the first grows, and the first is emptied before the
second changes: wherever a process dies, the bytes are of the file that is named.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from dualnet.files import write_json


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Whose bytes a part file holds.

    Args:
        url: Where they were asked for.
        validator: The file's strong `ETag`, else its `Last-Modified`; it changes when
            the file does. None: the server named neither.
        num_bytes: The whole file's length; none: not announced.
    """

    url: str
    validator: str | None = None
    num_bytes: int | None = None


class PartFile:
    """The part of a file that has come so far.

    Args:
        path: Where the whole file is to lie.
    """

    def __init__(self, path: Path) -> None:
        self.whole = path
        self.path = path.with_name(f"{path.name}.part")
        self.origin_path = path.with_name(f"{path.name}.part.json")

    @property
    def num_bytes(self) -> int:
        """How many bytes have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    def read_origin(self) -> Origin | None:
        """Returns whose bytes these are; none where nothing tells."""
        try:
            return Origin(**json.loads(self.origin_path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def begin(self, origin: Origin) -> None:
        """Begins anew, empty, with the bytes of `origin` to come."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(b"")
        write_json(self.origin_path, asdict(origin))

    def discard(self) -> None:
        """Removes it."""
        self.path.unlink(missing_ok=True)
        self.origin_path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Puts it in its place as the whole file."""
        with self.path.open("rb") as stream:
            os.fsync(stream.fileno())
        self.path.replace(self.whole)
        self.discard()
