"""A lock on a folder that ends with the processes that hold it, however they end."""

import contextlib
import dataclasses
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@dataclasses.dataclass(frozen=True)
class Presence:
    """This process at work in a folder.

    Attributes:
      file: holds the lock as long as it is open.
      alone: whether nobody else was there, and nobody can come before `share`.
    """

    file: IO[str]
    alone: bool

    def share(self) -> None:
        """Let others in; wait while one that came before is still alone."""
        fcntl.flock(self.file, fcntl.LOCK_SH)


@contextlib.contextmanager
def present(path: Path) -> Iterator[Presence]:
    """Be alone, if nobody is present, until `share` or the end.

    Args:
      path: of the lock; it stays, for whoever waits has it open.
    """
    with path.open("a+") as file:  # a shared lock on NFS wants to read
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except BlockingIOError:
            alone = False
        yield Presence(file, alone)


def held(path: Path) -> bool:
    """Return whether a process is alone there.

    Whoever looks is in the way of who comes for a moment, and stays no longer.
    """
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextlib.contextmanager
def turn(path: Path) -> Iterator[None]:
    """Wait for one's turn, and keep it to the end."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
