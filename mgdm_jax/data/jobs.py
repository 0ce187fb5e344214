"""One volume prepared, in whatever process; what is done is not done again.

A job reads and writes; `run` returns its entry of the manifest: what the volume was
made of and became, or why it was left out.
"""

import collections
import concurrent.futures
import concurrent.futures.process
import contextlib
import dataclasses
import hashlib
import json
import multiprocessing
import os
import re
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mgdm_jax.data import fastmri, hdf5, prepared, readers, volumes
from mgdm_jax.storage import aside

PLAN = "manifest.json"
"""In the folder of parts: the manifest, from before the parts are merged."""

_PART = re.compile(rf"[0-9a-f]{{16}}\.(h5|json)|{re.escape(PLAN)}")
"""Names of parts and their notes, and of the plan."""


@dataclasses.dataclass(frozen=True)
class SlicesJob:
    """Images of one volume, into a file of their own in a folder of parts.

    Attributes:
      volume: what to read.
      split: of its subject.
      reader: of the data set.
      folder: of the parts.
    """

    volume: volumes.Volume
    split: str
    reader: readers.Reader
    folder: Path

    @property
    def output(self) -> Path:
        """File to write."""
        return self.folder / f"{key(self)}.h5"

    def read(self) -> prepared.Slices:
        """Return the slices."""
        return self.reader.load(self.volume)

    def write(self, slices: prepared.Slices) -> dict:
        """Write the part and return what it holds."""
        volume = self.volume
        prepared.write(self.output, slices, volume.subject, volume.name, self.split)
        return {"slices": len(slices), "images_sha256": prepared.digest(slices.images)}


@dataclasses.dataclass(frozen=True)
class MeasuredJob:
    """fastMRI's own k-space of one volume, into a file that `run` takes.

    Attributes:
      volume: what to read.
      split: of its subject.
      folder: of the results.
      sampling: of complete k-space; None where files have masks of their own.
    """

    volume: volumes.Volume
    split: str
    folder: Path
    sampling: fastmri.Sampling | None

    @property
    def output(self) -> Path:
        """File to write."""
        return self.folder / f"{self.volume.name}.h5"

    def read(self) -> dict[str, np.ndarray]:
        """Return the arrays of the file."""
        return fastmri.measured(self.volume, self.sampling)

    def write(self, arrays: dict[str, np.ndarray]) -> dict:
        """Write the file and return what it holds."""
        scale = np.abs(arrays["reference"]).max() if "reference" in arrays else None
        facts = {"centered": True} | ({} if scale is None else {"scale": scale})
        hdf5.write(self.output, arrays, facts)
        kspace = arrays["kspace"]
        return {"slices": len(kspace), "kspace_sha256": prepared.digest(kspace)}


def run(job: SlicesJob | MeasuredJob) -> dict:
    """Return the manifest's entry of a volume, preparing it unless that is done.

    A volume that cannot be used, for whatever reason, is an entry that says why.

    Raises:
      OSError: if the output cannot be written.
    """
    volume, output = job.volume, job.output
    done = _noted(output)
    if output.exists() and done and done["key"] == key(job):
        return done
    entry: dict[str, Any] = {"volume": volume.name, "subject": volume.subject}
    contents: Any  # each job writes what it reads
    try:
        contents = job.read()
    except Exception as error:  # a damaged file raises whatever its library likes
        reason = " ".join(str(error).split()) or type(error).__name__
        return entry | {"skipped": reason}
    entry |= {"split": job.split, "key": key(job)}
    entry["output"] = output.relative_to(job.folder).as_posix()
    with aside.inside(output.parent), _claimed(output, entry):
        entry |= job.write(contents)
        entry["sources"] = [_source(path) for path in volume.paths]
        aside.write_text(_note(output), json.dumps(entry))
    return entry


def each(work: Sequence[SlicesJob | MeasuredJob], workers: int) -> Iterator[dict]:
    """Yield the entry of every job as it is finished, in so many processes.

    Raises:
      ValueError: with one line, if a process was killed.
    """
    if workers == 1:
        yield from map(run, work)
        return
    # spawn: fork would copy threads that numerical libraries have started.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, context) as pool:
        try:
            with _deaf():
                running = [pool.submit(run, job) for job in work]
            for done in concurrent.futures.as_completed(running):
                yield done.result()
        except concurrent.futures.process.BrokenProcessPool:
            raise ValueError(
                "a worker was killed, for memory most likely; start again with fewer "
                "--workers, and it goes on with what is left."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Start processes that hear no Ctrl-C: each would tell a traceback of its own.

    This one hears it a moment later.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def alike(entries: Sequence[dict], folder: Path) -> tuple[list[dict], list[Path]]:
    """Return the entries without outputs, and the parts of the kind most volumes are.

    The others, which one file cannot hold beside them, become entries that say so.

    Args:
      entries: of `run`, some with an output.
      folder: of the parts.
    """
    parts = [folder / entry["output"] for entry in entries if "output" in entry]
    kinds = {part: prepared.kind(part) for part in parts}
    usual = collections.Counter(kinds.values()).most_common(1)[0][0]
    kept = []
    for entry in entries:
        kind = kinds.get(folder / entry.get("output", ""), usual)
        entry = {name: value for name, value in entry.items() if name != "output"}
        if kind != usual:
            entry = {name: entry[name] for name in ("volume", "subject")}
            entry["skipped"] = (
                f"its images are {kind}, those of most volumes {usual}; give one "
                "--size for all, or prepare them apart."
            )
        kept.append(entry)
    return kept, [part for part in parts if kinds[part] == usual]


def check_unread(
    work: Sequence[SlicesJob | MeasuredJob], outputs: Sequence[Path]
) -> None:
    """Refuse outputs that are sources, under whatever name.

    Raises:
      ValueError: naming both.
    """
    there = {_identity(path): path for path in outputs if path.exists()}
    sources = (path for job in work for path in job.volume.paths) if there else ()
    for source in sources:
        output = there.get(_identity(source))
        if output:
            raise ValueError(f"{output} would replace {source}; give another --out.")


def check_ours(outputs: Sequence[Path]) -> None:
    """Refuse outputs that exist, or whose notes do, unless a job has noted them.

    Raises:
      ValueError: naming the first.
    """
    for output in outputs:
        for path in (output, _note(output)):
            if os.path.lexists(path) and _noted(output) is None:
                raise ValueError(
                    f"{path} exists and is none of prepare's; give another --out, or "
                    "--overwrite."
                )


def check_parts(folder: Path) -> None:
    """Refuse a folder of parts that holds anything else: it is removed in the end.

    Raises:
      ValueError: naming what else it holds.
    """
    for path in folder.iterdir() if folder.is_dir() else ():
        if not _PART.fullmatch(aside.meant(path.name)):
            raise ValueError(f"{path} is none of prepare's; give another --out.")


def _note(output: Path) -> Path:
    return output.with_suffix(".json")


def _noted(output: Path) -> dict | None:
    """Return what a job noted of its output; None if none did."""
    try:
        entry = json.loads(_note(output).read_text())
    except (OSError, ValueError):
        return None
    ours = isinstance(entry, dict) and {"volume", "key", "output"} <= entry.keys()
    return entry if ours else None


@contextlib.contextmanager
def _claimed(output: Path, entry: dict) -> Iterator[None]:
    """Note an output before it is there, so that one killed in between is ours."""
    aside.write_text(_note(output), json.dumps(entry | {"key": "unfinished"}))
    try:
        yield
    except BaseException:
        if not output.exists():
            _note(output).unlink()
        raise


def _identity(path: str | Path) -> tuple[int, int]:
    stat = os.stat(path)
    return stat.st_dev, stat.st_ino


def key(job: SlicesJob | MeasuredJob) -> str:
    """Return what tells apart jobs of other settings, or of sources that changed."""
    stats = [os.stat(path) for path in job.volume.paths]
    seen = [(stat.st_size, stat.st_mtime_ns) for stat in stats]
    return hashlib.sha256(repr((job, seen)).encode()).hexdigest()[:16]


def _source(path: str) -> dict:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"path": path, "bytes": os.path.getsize(path), "sha256": digest}
