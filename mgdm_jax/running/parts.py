"""Finished batches of a run that is not finished, for whoever goes on with it.

They lie in a folder of their own, a file a batch, made aside and renamed: `.npz`, whose
checksums tell a damaged one, and read without pickle. `run.json` beside them says what
they are of. The folder goes when the results are written.
"""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from mgdm_jax import __version__, fingerprints
from mgdm_jax.defaults import Config
from mgdm_jax.factory import Prior
from mgdm_jax.measurements import Measurements
from mgdm_jax.reconstruction import Reconstruction
from mgdm_jax.storage import aside, locks
from mgdm_jax.types import StepInfo

FOLDER = "parts"
"""Its name in the workdir of a run, and the end of it beside a file to be written."""
_FACTS, _NOTE, _LOCK = "run.json", ".note", ".lock"
_DAMAGED = (zipfile.BadZipFile, RuntimeError)
"""What a damaged archive raises; the latter where a flipped bit says "encrypted"."""


class Part(NamedTuple):
    """A batch, and how long it took."""

    result: Reconstruction
    seconds: float


@dataclasses.dataclass(frozen=True)
class Parts:
    """The parts of one run.

    Attributes:
      folder: where they lie.
      identity: digest of what they are of, in each of them.
      stride: images of a whole batch, chosen when the run was first started.
    """

    folder: Path
    identity: str
    stride: int

    def path(self, batch: range) -> Path:
        """Return the file of a batch."""
        return self.folder / f"{batch.start:08d}-{batch.stop:08d}.npz"

    def present(self) -> set[str]:
        """Return the names of the files that there are."""
        return {path.name for path in _files(self.folder)}

    def write(self, batch: range, part: Part) -> None:
        """Write a part, whole or not at all."""
        arrays = part.result._asdict()
        steps = arrays.pop("info")._asdict()
        arrays |= {f"info.{name}": value for name, value in steps.items()}
        kept = {name: value for name, value in arrays.items() if value is not None}
        kept |= {"of": np.array(self.identity), "seconds": np.array(part.seconds)}
        with aside.replacing(self.path(batch)) as path:
            np.savez(path, **kept)

    def read(self, batch: range) -> Part | None:
        """Return the part of a batch, None where there is none, or a damaged one.

        Raises:
          ValueError: if it is of another run.
        """
        path = self.path(batch)
        try:
            # numpy itself leaves a damaged file open.
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays = dict(file)
            of, seconds = str(arrays.pop("of")), float(arrays.pop("seconds"))
            steps = {k: arrays.pop(f"info.{k}", None) for k in StepInfo._fields}
            result = Reconstruction(**arrays, info=StepInfo(**steps))
        except (*_DAMAGED, OSError, ValueError, KeyError, TypeError, EOFError):
            return None
        if of != self.identity:
            raise ValueError(f"{path} is of another run; {_instead(self.folder)}")
        return Part(result, seconds)

    def note(self, name: str) -> None:
        """Leave a note for other processes, see `noted`."""
        (self.folder / f"{name}{_NOTE}").touch()

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def removed(self) -> bool:
        """Return whether that has been done, if not yet to the end."""
        return not (self.folder / _FACTS).exists()


def facts(config: Config, prior: Prior, measurements: Measurements) -> dict[str, Any]:
    """Return all that the result of a run depends on, devices aside."""
    return {
        "config": fingerprints.plain(config),
        "weights": fingerprints.digest(jax.tree.leaves(prior.params)),
        "data": fingerprints.digest(measurements.given()),
        "shape": list(measurements.measurement.shape),
        "mgdm-jax": __version__,
        "jax": jax.__version__,
        "jaxlib": importlib.metadata.version("jaxlib"),
    }


def check(folder: Path, now: Mapping[str, Any]) -> None:
    """Refuse a folder with parts of something else, or with what is no part.

    Args:
      folder: of the run's parts.
      now: its `facts`.

    Raises:
      ValueError: with one line, naming what differs.
    """
    found = _read(folder)
    if found is None:
        if any(not path.name.startswith(".") for path in folder.glob("*")):
            raise ValueError(f"{folder} does not say what it is of; {_instead(folder)}")
        return
    differing = fingerprints.differences(found["facts"], now)
    if differing:
        raise ValueError(f"{folder} is of another run: {differing}; {_instead(folder)}")


def check_nobody(folder: Path) -> None:
    """Refuse a folder in which a process leads a run, whose notes are not ours.

    Raises:
      ValueError: if there is one, or no lock would tell.
    """
    locks.check(folder / _LOCK)
    if locks.held(folder / _LOCK):
        raise ValueError(f"another process is at work in {folder}.")


@contextlib.contextmanager
def opened(
    folder: Path, now: Mapping[str, Any], stride: Callable[[], int]
) -> Iterator[Parts]:
    """Yield the parts that there are, for the process that leads; it is the only one.

    A folder without parts does not stay.

    Args:
      folder: of the run's parts.
      now: its `facts`.
      stride: makes that of a run which is new.

    Raises:
      ValueError: if a process is at work there, or the parts are of another run.
    """
    check(folder, now)
    with aside.inside(folder), locks.present(folder / _LOCK) as presence:
        if not presence.alone:
            raise ValueError(f"another process is at work in {folder}.")
        try:
            if _read(folder) is None:
                found = {"facts": dict(now), "stride": stride()}
                with aside.replacing(folder / _FACTS) as path:
                    path.write_text(json.dumps(found, indent=2))
            yield joined(folder)
        finally:
            if not _files(folder):
                shutil.rmtree(folder, ignore_errors=True)


def joined(folder: Path) -> Parts:
    """Return the parts of a run that has been opened.

    Raises:
      ValueError: if it has not.
    """
    found = _read(folder)
    if found is None:
        raise ValueError(f"{folder} is gone; start all processes again.")
    text = json.dumps(found, sort_keys=True)
    identity = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Parts(folder, identity, found["stride"])


def noted(folder: Path, name: str) -> bool:
    """Return whether a process has left this note."""
    return (folder / f"{name}{_NOTE}").exists()


def forget_notes(folder: Path) -> None:
    """Remove the notes of processes that were stopped."""
    for path in folder.glob(f"*{_NOTE}"):
        path.unlink(missing_ok=True)


def _files(folder: Path) -> list[Path]:
    """Return the parts; names with a dot in front are of writers that were killed."""
    return list(folder.glob("[0-9]*.npz"))


def _read(folder: Path) -> dict[str, Any] | None:
    """Return the contents of run.json, None where there is none.

    Raises:
      ValueError: if it is damaged.
    """
    path = folder / _FACTS
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text())
        complete = isinstance(found["facts"], dict) and found["stride"] > 0
    except (ValueError, KeyError, TypeError):
        complete = False
    if not complete:
        raise ValueError(f"{path} is damaged; {_instead(folder)}")
    return found


def _instead(folder: Path) -> str:
    return f"write to another place, or remove {folder} to begin anew."
