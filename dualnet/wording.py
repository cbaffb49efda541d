"""Words for numbers in messages, and numbers as they are printed everywhere."""

from collections.abc import Mapping
from typing import Any


def number_of(number: int, noun: str) -> str:
    """Returns a number and its noun, which takes an `s` unless the number is 1.

    Args:
        number: How many; thousands are parted by commas.
        noun: One of them, such as `"shared patient"`.

    Returns:
        Both, as they stand in a message.

    Example:
        >>> number_of(0, "row"), number_of(1, "row"), number_of(2_000, "row")
        ('0 rows', '1 row', '2,000 rows')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def describe_more(number: int, noun: str) -> str:
    """Says how many more are bad, with a space behind it; nothing where none are.

    Args:
        number: How many besides the one that is named.
        noun: What they are, such as `row`.

    Returns:
        Such as `"2 more rows are bad. "`.
    """
    verb = "is" if number == 1 else "are"
    return f"{number_of(number, f'more {noun}')} {verb} bad. " if number else ""


def format_number(value: float | None, *, sign: bool = False, digits: int = 3) -> str:
    """Returns a score as it is printed everywhere: without a zero before the point.

    Args:
        value: The score; None and NaN are undefined.
        sign: Whether a plus is written, as of a difference.
        digits: After the point.

    Returns:
        The number, or `n/a`.

    Example:
        >>> format_number(0.6234), format_number(1.5), format_number(-0.05, sign=True)
        ('.623', '1.500', '-.050')
    """
    if value is None or value != value:  # NaN is unlike itself
        return "n/a"
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if abs(float(text)) < 1 else text


def describe_rows(values: Mapping[str, Any]) -> str:
    """Returns how many radiographs of how many patients.

    Args:
        values: With `num_images` and `num_patients`.

    Example:
        >>> describe_rows({"num_images": 1883, "num_patients": 1})
        '1,883 radiographs of 1 patient'
    """
    images = number_of(values["num_images"], "radiograph")
    return f"{images} of {number_of(values['num_patients'], 'patient')}"


def of_phantom(values: Mapping[str, Any]) -> str:
    """Says if radiographs are a phantom's, to be set behind their number.

    Args:
        values: With `phantom`: whether they are drawn.

    Returns:
        Words after a comma, or nothing.

    Example:
        >>> of_phantom({"phantom": True}), of_phantom({"phantom": False})
        (', of a phantom', '')
    """
    return ", of a phantom" if values["phantom"] else ""
