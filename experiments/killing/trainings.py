"""A training whose newest checkpoint was damaged, or that goes on on other devices."""

from pathlib import Path
from typing import Any

import numpy as np

from experiments.killing import jobs, leavings
from experiments.killing.jobs import Job
from experiments.killing.processes import FailedError, Kill, Line, line, start
from mgdm_jax import checkpoints

LARGEST_SHIFT = 1e-5
"""Of weights on two devices from those on one, in units of their tensor's largest."""


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
    one, two = (
        leavings.checkpoint(place / "out" / "checkpoints" / f"{job.total}")
        for place in (base / "reference", folder)
    )
    shift = max(shifts(one, two).values())
    made = line("train, one device, then two", kills, job, [])
    made.equal = shift <= LARGEST_SHIFT
    made.result = f"weights differ by {shift:.1e} of their largest"
    return made


def shifts(one: dict[str, Any], two: dict[str, Any]) -> dict[str, float]:
    """Return the largest difference of each tensor of weights, relative to it."""
    return {
        name: float(np.abs(two[name] - one[name]).max() / np.abs(one[name]).max())
        for name in one
        if name.startswith(("['params']", "['ema_params']")) and one[name].any()
    }
