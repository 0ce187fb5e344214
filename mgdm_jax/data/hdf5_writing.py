"""HDF5 files written so that a full disk is an OSError, and nothing worse.

Where a write fails, HDF5 cannot close its file: it complains from then on and crashes
when the process ends. So it is never let near a disk that may be full.
"""

import contextlib
import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path

import h5py

from mgdm_jax.storage import aside


@contextlib.contextmanager
def in_memory(path: Path) -> Iterator[h5py.File]:
    """Yield a file that is made in memory, and written once it is whole.

    Raises:
      OSError: if it cannot be written; what was there is there still.
    """
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        yield file
        file.flush()
        image = file.id.get_file_image()
    with aside.replacing(path) as part:
        part.write_bytes(image)


@contextlib.contextmanager
def reserved(path: Path, size: int) -> Iterator[h5py.File]:
    """Yield a file too large for memory, for which the room is taken beforehand.

    Args:
      path: target; replaced once the file is whole.
      size: bytes that it will hardly exceed.

    Raises:
      OSError: before anything is yielded, if there is no such room.
    """
    with (
        aside.replacing(path) as part,
        _Reserved(part, size) as room,
        h5py.File(room, "w") as file,
    ):
        yield file


class _Reserved(io.FileIO):
    """A file that seems empty, and grows in the room it has; what is left is cut."""

    def __init__(self, path: Path, size: int):
        super().__init__(path, "w+")
        self._end = 0
        if not hasattr(os, "posix_fallocate"):  # macOS
            return
        try:
            os.posix_fallocate(self.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                super().close()
                raise

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            return super().seek(self._end + offset)
        return super().seek(offset, whence)

    def write(self, data) -> int:
        written = super().write(data)
        self._end = max(self._end, self.tell())
        return written

    def truncate(self, size: int | None = None) -> int:
        """Note where the file ends: the room is kept until it is closed."""
        self._end = self.tell() if size is None else size
        return self._end

    def close(self) -> None:
        if not self.closed:
            super().truncate(self._end)
        super().close()
