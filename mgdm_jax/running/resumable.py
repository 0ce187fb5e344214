"""Draw the samples of a run: what is kept of it is not drawn again.

Each batch is written to the run's parts when it is finished. Keys are one an image, and
the batches are those of the whole run, not of what is left: stopped at any moment and
started again, by one process or shared by several, the bits are the same.

Several processes know of each other by what they leave beside the parts, not by a
barrier of collectives (`multihost_utils.sync_global_devices`): that one fails if a
process is a minute or two behind another (on CPUs, 100 s apart: "Gloo context
initialization failed: Connect timeout"), and hosts end their shares at times of their
own. If one dies, the heartbeat of jax.distributed ends the others; started again, all
go on.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mgdm_jax import processes, reconstruction
from mgdm_jax.commands import console
from mgdm_jax.reconstruction import Reconstruction, SampleFn
from mgdm_jax.running import parts
from mgdm_jax.running.parts import Part, Parts

GLANCE_S = 0.2
"""Seconds between two looks at what other processes have left."""

_OPEN = "open"
"""Note of the process that leads: what is here is sound, begin."""


class Drawn(NamedTuple):
    """The examples, and the seconds that they took, earlier starts included."""

    examples: Reconstruction
    seconds: float


def draw(
    sample: SampleFn,
    batches: Sequence[range],
    kept: Parts,
    to: console.Console,
    label: str,
) -> Drawn:
    """Return all samples: those kept, this process's share, and those of the others.

    Args:
      sample: of `reconstruction.by_batch`.
      batches: all of the run's.
      kept: opened by this process, which leads.
      to: is told the progress.
      label: in front of the progress.
    """
    known = _known(batches, kept)
    before = sum(part.seconds for part in known.values())
    done = sum(len(batch) for batch in known)
    kept.note(_OPEN)
    started, total = time.monotonic(), sum(len(batch) for batch in batches)
    with to.progress(total, "image", label, done=done) as count:
        for batch in processes.share(batches):
            if batch not in known:
                known[batch] = _fill(sample, batch, kept)
                _tell(count, batches, kept)
        while not _all_left(kept):
            time.sleep(GLANCE_S)
            _tell(count, batches, kept)
    for batch in batches:
        if batch not in known:
            known[batch] = kept.read(batch) or _fill(sample, batch, kept)
    examples = reconstruction.join([known[batch].result for batch in batches])
    return Drawn(examples, before + time.monotonic() - started)


def contribute(
    sample_with: Callable[[int], tuple[SampleFn, Sequence[range]]], folder: Path
) -> None:
    """Draw this process's share for the one that leads; return when it has let go.

    Args:
      sample_with: the run's stride -> what `draw` takes first.
      folder: of the run's parts.
    """
    _wait(lambda: parts.noted(folder, _OPEN))
    kept = parts.joined(folder)
    sample, batches = sample_with(kept.stride)
    for batch in processes.share(batches):
        if kept.path(batch).name not in kept.present():
            _fill(sample, batch, kept)
    kept.note(_left(processes.index()))
    # Left at once, it would miss the others at the end of jax.distributed.
    _wait(kept.removed)


@contextlib.contextmanager
def telling(folder: Path, again: str) -> Iterator[None]:
    """Let an interruption tell how to go on, where anything is kept to go on from.

    Args:
      folder: of the run's parts.
      again: the command that does.
    """
    try:
        yield
    except KeyboardInterrupt:
        if not folder.exists():
            raise
        raise KeyboardInterrupt(f"{again} goes on from there") from None


def _wait(until: Callable[[], bool]) -> None:
    while not until():
        time.sleep(GLANCE_S)


def _left(index: int) -> str:
    return f"left-{index}"


def _all_left(kept: Parts) -> bool:
    others = range(1, processes.count())
    return all(parts.noted(kept.folder, _left(i)) for i in others)


def _known(batches: Sequence[range], kept: Parts) -> dict[range, Part]:
    """Return what is kept; what is damaged is told and removed."""
    found = {batch: kept.read(batch) for batch in batches}
    for batch, part in found.items():
        path = kept.path(batch)
        if part is None and path.exists():
            sys.stderr.write(f"{path} is damaged; its images are drawn again.\n")
            path.unlink()
    return {batch: part for batch, part in found.items() if part is not None}


def _fill(sample: SampleFn, batch: range, kept: Parts) -> Part:
    started = time.monotonic()
    part = Part(sample(batch), time.monotonic() - started)
    kept.write(batch, part)
    return part


def _tell(count: console.Progress, batches: Sequence[range], kept: Parts) -> None:
    """Count what all processes have finished."""
    there = kept.present()
    done = sum(len(batch) for batch in batches if kept.path(batch).name in there)
    if done > count.done:
        count.advance(done - count.done)
