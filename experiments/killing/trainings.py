"""A training whose newest checkpoint was damaged, or that goes on on other devices."""

import csv
from pathlib import Path

import numpy as np

from experiments.killing import jobs, leavings
from experiments.killing.jobs import Job
from experiments.killing.processes import FailedError, Kill, Line, line, start
from mgdm_jax.training import checkpoints

LARGEST_SHIFT = 1e-5
"""Of losses on two devices from those on one, trained and validated.

Not of weights: a bias before a normalisation, or of an attention's keys, changes
nothing, its gradient is rounding, and Adam makes whole steps of that.
"""


def lines(job: Job, base: Path) -> list[Line]:
    """Return the rows of a training that was killed half-way and then tampered with.

    Args:
      job: the training.
      base: holds `reference`, the same one undisturbed.
    """
    made = []
    for what, damage in (("flipped", flip), ("cut", cut)):
        folder = base / what
        kills = [kill_half_way(job, folder)]
        damage(largest_file(folder))
        try:
            start(job, folder)
        except FailedError as error:
            found = [str(error)]
        else:
            found = leavings.differences(base / "reference" / "out", folder / "out")
        if "is damaged: going on from" not in (folder / "log").read_text():
            found.append("the damage was not noticed")
        made.append(line(f"train, newest checkpoint {what}", kills, job, found))
        print(made[-1], *found, sep="\n", flush=True)
    made.append(on_two_devices(job, base))
    print(made[-1], flush=True)
    return made


def kill_half_way(job: Job, folder: Path) -> Kill:
    """Kill a training once half of its steps are saved, the newest to its end."""

    def has_come(*_: object) -> bool:
        done = job.done(folder)
        return 2 * done >= job.total and (newest(folder) / checkpoints.DIGEST).exists()

    kill = start(job, folder, has_come)
    assert kill is not None
    return kill


def newest(folder: Path) -> Path:
    """Return the newest checkpoint of a training's folder."""
    return folder / "out" / "checkpoints" / f"{jobs.saved_steps(folder)}"


def largest_file(folder: Path) -> Path:
    """Return the largest file of the newest checkpoint."""
    files = (path for path in newest(folder).rglob("*") if path.is_file())
    return max(files, key=lambda path: path.stat().st_size)


def flip(path: Path) -> None:
    """Turn over the bits of a byte in the middle of a file."""
    values = bytearray(path.read_bytes())
    values[len(values) // 2] ^= 0xFF
    path.write_bytes(values)


def cut(path: Path) -> None:
    """Cut a file in its middle."""
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def on_two_devices(job: Job, base: Path) -> Line:
    """Return the row of a training that was begun on one device and ended on two."""
    folder = base / "devices"
    kills = [kill_half_way(job, folder)]
    start(job, folder, n_devices=2)
    reference = base / "reference"
    found = shift(losses(reference), losses(folder))
    moved = shift(weights(reference, job.total), weights(folder, job.total))
    made = line("train, one device, then two", kills, job, [])
    made.equal = found <= LARGEST_SHIFT
    made.result = f"losses differ by {found:.1e}, weights by {moved:.1e} of their norm"
    return made


def losses(folder: Path) -> np.ndarray:
    """Return all that a training told of its losses, seconds left out."""
    with (folder / "out" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    told = [value for row in rows for k, value in row.items() if k != "seconds"]
    return np.array([float(value) for value in told if value])


def weights(folder: Path, step: int) -> np.ndarray:
    """Return the averaged weights of a checkpoint."""
    found = leavings.checkpoint(folder / "out" / "checkpoints" / f"{step}")
    names = sorted(name for name in found if name.startswith("['ema_params']"))
    return np.concatenate([found[name].ravel() for name in names])


def shift(one: np.ndarray, two: np.ndarray) -> float:
    """Return how far two lies from one, in units of its norm."""
    return float(np.linalg.norm(two - one) / np.linalg.norm(one))
