"""Small pieces of English that messages and tables share."""

from collections.abc import Sequence


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, which gets an "s" unless its ``plural`` is given.

    >>> counted(1, "slice"), counted(2, "slice"), counted(0, "slice"), counted(12_000, "image")
    ('1 slice', '2 slices', '0 slices', '12,000 images')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def listed(names: Sequence[str]) -> str:
    """Return names as a list in a sentence.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def printable(text: str) -> str:
    r"""Return text on one line without control characters, which a terminal would obey and a file may not hold.

    >>> printable("a\tb\x1b[31m")
    'a b�[31m'
    """
    return "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)
