"""One line, with the file's name in it, for whatever is wrong with a file."""

import contextlib
import os
from collections.abc import Iterator

Path = str | os.PathLike[str]


@contextlib.contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Put the file's name in front of every ValueError."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a library raises over a damaged file into one line."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{os.fspath(path)}: not readable ({reason}); it is truncated, damaged or "
            "of another format: write it again."
        ) from None
