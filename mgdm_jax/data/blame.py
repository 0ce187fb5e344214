"""One line, with the file's name in it, for whatever is wrong with a file."""

import contextlib
import os
from collections.abc import Iterator

Path = str | os.PathLike[str]


@contextlib.contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Put the file's name in front of every ValueError.

    What fields of a wrong type or number lead to in a damaged header is one as well.
    """
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error
    except (AttributeError, TypeError, LookupError, OverflowError) as error:
        raise _unreadable(path, error) from error


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a library raises over a damaged file into one line."""
    try:
        yield
    except Exception as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> ValueError:
    if isinstance(error, PermissionError):
        return ValueError(
            f"{os.fspath(path)}: it may not be read; change its permissions, or give a "
            "copy."
        )
    if isinstance(error, IsADirectoryError):
        inside = sorted(name for name in os.listdir(path) if name.endswith(".h5"))
        one = f", {inside[0]} say" if inside else ""
        return ValueError(f"{os.fspath(path)}: a folder; give one of its files{one}.")
    reason = " ".join(str(error).split()) or type(error).__name__
    return ValueError(
        f"{os.fspath(path)}: not readable ({reason}); it is truncated, damaged or of "
        "another format: write it again."
    )
