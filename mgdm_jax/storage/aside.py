"""Files and folders that are seen whole or not at all.

They are made beside their place, under a hidden name with the same suffix, and renamed.
Errors name the place that was asked for, not the hidden one. What a killed process left
under such a name is cleared away by the next one that writes to the same place.
"""

import contextlib
import os
import platform
import re
import shutil
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

_HIDDEN = re.compile(
    r"\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-(?P<thread>\d+)\.(?P<name>.+)"
)
"""Names of what is being made: by whom, and what it will be called."""


class NotWrittenError(OSError):
    """A file that cannot be written, and why."""

    def __init__(self, path: Path, reason: str):
        super().__init__(f"{path} cannot be written: {reason}.")
        self.path, self.reason = path, reason

    def __reduce__(self):
        """Travel to another process, which OSError would not with these arguments."""
        return type(self), (self.path, self.reason)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield where to make a file, or a folder, which then takes the place of `path`.

    Folders above it are made when missing.

    Raises:
      OSError: if that cannot be done; what was there is there still.
    """
    path = _behind_links(path)
    part = _hidden(path)
    with inside(path.parent):
        try:
            with _blaming(path, part):
                clear(path)
                yield part
                _move(part, path)
        finally:
            _remove(part)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with replacing(path) as part:
        part.write_text(text, "utf-8")


@contextlib.contextmanager
def filling(folder: Path, last: str) -> Iterator[Path]:
    """Yield a folder whose files then move into `folder`, the one named `last` last.

    The folder, and those above it, are made when missing.

    Raises:
      OSError: if that cannot be done.
    """
    part = _hidden(folder / "part")
    with inside(folder):
        try:
            with _blaming(folder, part):
                clear(folder / "part")
                part.mkdir()
                yield part
                for file in sorted(part.iterdir(), key=lambda file: file.name == last):
                    os.replace(file, folder / file.name)
        finally:
            _remove(part)


def clear(path: Path) -> None:
    """Remove what killed processes left of `path`; an old folder is put back."""
    for name in os.listdir(path.parent):
        found = _HIDDEN.fullmatch(name)
        if not found or found["host"] != _host():
            continue
        if _is_at_work(int(found["pid"]), int(found["thread"])):
            continue
        left = path.with_name(name)
        if found["name"] == f"{path.name}.old" and left.is_dir() and not path.exists():
            os.replace(left, path)  # killed between the two steps of `_move`
        elif found["name"] in (path.name, f"{path.name}.old"):
            _remove(left)


def remove(folder: Path) -> None:
    """Remove a folder, which is there whole or not at all for those who look."""
    gone = _hidden(folder)
    os.replace(folder, gone)
    _remove(gone)


def meant(name: str) -> str:
    """Return what a file of this name will be called once it is whole."""
    found = _HIDDEN.fullmatch(name)
    return found["name"] if found else name


def check(path: Path) -> None:
    """Try whether a file can be made beside `path`; leave nothing.

    Permissions do not tell: root has them all, on a read-only file system as well.

    Raises:
      ValueError: if not.
    """
    path = _behind_links(path)
    if not path.parent.is_dir():
        raise ValueError(f"{path.parent} is no folder that can be written to.")
    if os.path.ismount(path):
        raise ValueError(f"{path} cannot be replaced; give a place inside it.")
    part = _hidden(path)
    try:
        part.touch()
        part.unlink()
    except OSError as error:
        raise ValueError(
            f"{path} cannot be written ({error.strerror}); give another place."
        ) from None


def check_inside(folder: Path) -> None:
    """Try whether a file can be made in a folder, or in the first above it that exists.

    Raises:
      ValueError: if not.
    """
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise ValueError(f"{there} is a file; give a folder.")
    check(there / (folder.resolve().name or "part"))


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; what stays empty of them is gone afterwards."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for place in missing:
            with contextlib.suppress(OSError):  # there is something in it
                place.rmdir()


def _behind_links(path: Path) -> Path:
    """Return a folder's own place, which is what a link to it keeps pointing to."""
    return path.resolve() if path.is_dir() else path


def _hidden(path: Path) -> Path:
    writer = f"{_host()}-{os.getpid()}-{threading.get_ident()}"
    return path.with_name(f".{writer}.{path.name}")


def _host() -> str:
    """Return what tells machines apart: their processes have numbers of their own."""
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _is_at_work(pid: int, thread: int) -> bool:
    if pid == os.getpid():
        return thread in (one.ident for one in threading.enumerate())
    try:
        os.kill(pid, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)  # another user's lives
    return True


def _move(part: Path, path: Path) -> None:
    if not (part.is_dir() and path.is_dir()):
        os.replace(part, path)
        return
    old = _hidden(path.with_name(f"{path.name}.old"))  # no folder goes in one step
    os.replace(path, old)
    try:
        os.replace(part, path)
    except OSError:
        os.replace(old, path)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _blaming(path: Path, part: Path) -> Iterator[None]:
    """Name `path` in errors of `part`, and in those that name no file."""
    try:
        yield
    except NotWrittenError as error:
        raise _renamed(error.path, error.reason, path, part) from error
    except OSError as error:
        named = Path(os.fsdecode(error.filename)) if error.filename else part
        if not named.is_relative_to(part):
            raise
        raise _renamed(named, error.strerror or str(error), path, part) from error


def _renamed(named: Path, reason: str, path: Path, part: Path) -> NotWrittenError:
    place = path / named.relative_to(part) if named.is_relative_to(part) else named
    return NotWrittenError(place, " ".join(reason.split()))
