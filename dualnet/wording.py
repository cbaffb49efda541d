"""Words for numbers in messages."""


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
