"""Where several processes of one command write: one folder, which all of them see."""

import contextlib
import os
import platform
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from mgdm_jax import processes
from mgdm_jax.storage import aside

TOKEN = ".shared"
"""File that the first leaves in the folder while the others look for it."""
PATIENCE_S = 60.0
"""How long they look: NFS may keep for so long what it knew of a folder."""
GLANCE_S = 0.5


def check_path(workdir: str | None) -> None:
    """Refuse what is no path of a file system, of which `Path` would make a folder.

    Raises:
      ValueError: with one line.
    """
    if workdir and "://" in workdir:
        raise ValueError(
            f"--workdir must be a path, got {workdir}; mount what that names, or write "
            "to a folder and copy it there."
        )


def check_shared(folder: Path) -> None:
    """Refuse a folder that the processes do not share; nothing stays in it.

    All must come, see `processes.together`.

    Raises:
      ValueError: on all of them, with the same line.
    """
    if processes.count() == 1:
        return
    words = processes.hear(secrets.token_hex())[0]
    with contextlib.ExitStack() as until_seen:
        with processes.together():
            if processes.leads():
                until_seen.enter_context(_left(folder / TOKEN, words))
        with processes.together():
            if not _seen(folder / TOKEN, words):
                raise ValueError(
                    f"{folder.absolute()} on {platform.node()} is not the folder that "
                    "the first process writes to; give a --workdir that all of them "
                    "share, on a file system that all hosts mount."
                )


@contextlib.contextmanager
def _left(token: Path, words: str) -> Iterator[None]:
    with aside.inside(token.parent):
        try:
            token.write_text(words)
            yield
        finally:
            token.unlink(missing_ok=True)


def _seen(token: Path, words: str) -> bool:
    end = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if token.read_text() == words:
                return True
        if time.monotonic() > end:
            return False
        with contextlib.suppress(OSError):
            # NFS then asks again for a folder that it knows not to be there.
            os.listdir(token.parent.parent)
        time.sleep(GLANCE_S)
