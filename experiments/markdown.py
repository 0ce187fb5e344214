"""Tables as Markdown: whole, or a line at a time while they are computed."""

from collections.abc import Iterable, Sequence


def table(names: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Return columns of these names and their rows."""
    return "\n".join([head(names), *map(row, rows)])


def head(names: Sequence[str]) -> str:
    """Return the two lines that a table begins with."""
    return f"{row(names)}\n{'|---' * len(names)}|"


def row(cells: Iterable[object]) -> str:
    """Return a line."""
    return f"| {' | '.join(map(str, cells))} |"
