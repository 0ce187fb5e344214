"""A lock on a folder that ends with the processes that hold it, however they end."""

import contextlib
import dataclasses
import errno
import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK)
"""What file systems say that have no locks, as Lustre without `-o flock`."""


class NoLocksError(ValueError):
    """A lock on a file system that has none, in one line."""


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
        _lock(self.file, fcntl.LOCK_SH, Path(self.file.name))


@contextlib.contextmanager
def present(path: Path) -> Iterator[Presence]:
    """Be alone, if nobody is present, until `share` or the end.

    Args:
      path: of the lock; it stays, for whoever waits has it open.

    Raises:
      NoLocksError: if there are none on this file system; no file stays.
    """
    with _opened(path, "a+") as file:  # a shared lock on NFS wants to read
        try:
            _lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB, path)
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
            _lock(file, fcntl.LOCK_SH | fcntl.LOCK_NB, path)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def check(path: Path) -> None:
    """Try whether there can be a lock, whose folder need not be there; leave nothing.

    Raises:
      NoLocksError: if not.
    """
    there = next(place for place in path.parents if place.exists())
    with tempfile.TemporaryFile("w", dir=there) as file:
        _lock(file, fcntl.LOCK_SH | fcntl.LOCK_NB, path)


@contextlib.contextmanager
def turn(path: Path) -> Iterator[None]:
    """Wait for one's turn, and keep it to the end.

    Raises:
      NoLocksError: if there are no locks on this file system; no file stays.
    """
    with _opened(path, "a") as file:
        _lock(file, fcntl.LOCK_EX, path)
        yield


@contextlib.contextmanager
def _opened(path: Path, mode: str) -> Iterator[IO[str]]:
    """Open the file of a lock; where that cannot be had, a new file does not stay."""
    is_new = not path.exists()
    with path.open(mode) as file:
        try:
            yield file
        except NoLocksError:
            if is_new:
                path.unlink(missing_ok=True)
            raise


def _lock(file: IO[str], how: int, path: Path) -> None:
    try:
        fcntl.flock(file, how)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise NoLocksError(
            f"{path} cannot be locked ({error.strerror}): its file system has no "
            "locks (flock), which keep two processes from one folder; write to another "
            "file system, or mount this one with its locks."
        ) from error
