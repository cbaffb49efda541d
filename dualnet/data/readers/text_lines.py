"""The lines of a text file, or one clear error."""

from pathlib import Path

from dualnet.errors import RecordError


def read_lines(file: Path, *, where: str, expected: str, advice: str) -> list[str]:
    """Reads the lines of a text file.

    Args:
        file: The file, UTF-8.
        where: What an error begins with.
        expected: What the file must be, in the error.
        advice: What to do, the error's last sentence.

    Returns:
        The lines, empty ones among them.

    Raises:
        RecordError: If the file cannot be read, or is no text.
    """
    try:
        return file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "bytes that are no text"
        raise RecordError(
            f"{where}: must be {expected}. Received: {reason}. {advice}"
        ) from error
