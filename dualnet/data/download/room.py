"""Is there room on the disk for what is to come?"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dualnet.errors import StorageError
from dualnet.progress import format_bytes

# Pictures are compressed already: NIH's archives are as long as what they hold. The
# file system rounds each of 112,120 files up to 4 KiB: half of that, of 400 KB each.
UNPACKED_RATIO = 1.02
ROOM_TO_SPARE = 2**28  # for tables, lists, and others who write to the disk


@dataclass(frozen=True, kw_only=True)
class Room:
    """The room that a download takes, in bytes.

    Args:
        archives: For archives, beyond what of them lies there.
        pictures: For what comes out of them.
    """

    archives: int
    pictures: int

    @property
    def total(self) -> int:
        """What must be free."""
        return self.archives + self.pictures + ROOM_TO_SPARE


def plan_room(
    lengths: Sequence[int], present: Sequence[int], *, keep: bool, workers: int
) -> Room:
    """Computes the room that archives take at most, while they come and are unpacked.

    Args:
        lengths: Length of each archive that is to be unpacked, in bytes.
        present: How much of each lies there already.
        keep: Whether archives stay after they were unpacked.
        workers: How many are at work at once.

    Returns:
        The room. Archives that do not stay take that of the longest `workers`.

    Example:
        >>> plan_room([100, 300, 200], [0, 0, 50], keep=False, workers=2)
        Room(archives=450, pictures=612)
    """
    at_once = sorted(lengths, reverse=True)[: None if keep else workers]
    return Room(
        archives=max(0, sum(at_once) - sum(present)),
        pictures=round(sum(lengths) * UNPACKED_RATIO),
    )


def check_room(folder: Path, room: Room) -> None:
    """Checks that a folder's disk has room.

    Args:
        folder: The folder, which exists.
        room: What it takes.

    Raises:
        StorageError: If it has not.
    """
    free = shutil.disk_usage(folder).free
    if free < room.total:
        raise StorageError(
            f"{folder}: must have {format_bytes(room.total)} free, "
            f"{format_bytes(room.archives)} for archives and "
            f"{format_bytes(room.pictures)} for pictures. "
            f"Received: {format_bytes(free)}. Free some space, name another folder, or "
            "take some archives with --only."
        )
