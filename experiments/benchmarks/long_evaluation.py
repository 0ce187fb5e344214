"""Memory and speed of `mgdm_jax.run` over thousands of images: are they constant?

The command itself, in a process of its own, on small images of noise prepared as
`prepare` writes them, with a tiny network. Resident memory (VmRSS of Linux) and time,
of the wall and of the process, are noted as each batch is told of; on a shared machine
only the latter tells. Results grow with their number and are given beside it.

    python -m experiments.benchmarks.long_evaluation --n_images=2000
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from absl import app, flags

from experiments import markdown, tiny_prior
from mgdm_jax.data import prepared

GATHERED = ("reconstruction", "baseline", "data_residual", "steps")
"""Of reconstructions.h5 what a run holds in memory while it goes on."""

_N_IMAGES = flags.DEFINE_integer("n_images", 2000, "Images.", 20)
_SIZE = flags.DEFINE_integer("size", 32, "Of the images, a multiple of 8.")
_STEPS = flags.DEFINE_integer("steps", 20, "Steps of a sample.")
_BATCH = flags.DEFINE_integer("batch", 10, "Images at once.")
_OUT = flags.DEFINE_string("out", None, "Markdown file to write the table to.")


class Sample(NamedTuple):
    """What was seen after a batch: images done, seconds, CPU seconds, resident MB."""

    done: int
    seconds: float
    cpu_seconds: float
    resident: float


def write_images(path: Path) -> None:
    """Write the images as one prepared volume of a test subject."""
    n, size = _N_IMAGES.value, _SIZE.value
    images = np.random.default_rng(0).random((n, size, size), np.float32)
    slices = prepared.Slices(
        images=images,
        label=["noise"] * n,
        position=np.arange(n),
        scale=np.ones(n, np.float32),
        pixel_mm=1.0,
        units="none",
    )
    prepared.write(path, slices, "nobody", "noise", "test")


def memory(pid: int, field: str) -> float:
    """Return a process's VmRSS, or its largest one, VmHWM, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"{field}:\s*(\d+) kB", status)
    return int(found[1]) / 1e3 if found else float("nan")


def cpu_seconds(pid: int) -> float:
    """Return what a process has used of all cores."""
    # The name, in brackets, may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def evaluate(folder: Path) -> tuple[list[Sample], float]:
    """Run the command; return a sample a batch, and the most MB up to the result."""
    write_images(folder / "images.h5")
    settings = {
        "prior.path": tiny_prior.write(folder, _SIZE.value),
        "data.path": folder / "images.h5",
        "data.n_images": _N_IMAGES.value,
        "sampler.n_steps": _STEPS.value,
        "sampler.batch_size": _BATCH.value,
    }
    command = [sys.executable, "-m", "mgdm_jax.run", "--log_format=json"]
    command += ["--config=mri_brats:smoke", f"--workdir={folder / 'out'}"]
    command += [f"--config.{name}={value}" for name, value in settings.items()]
    samples, most, started = [], float("nan"), time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            event, seconds = json.loads(line), time.monotonic() - started
            most = memory(process.pid, "VmHWM")
            if event["event"] == "progress":
                used = cpu_seconds(process.pid), memory(process.pid, "VmRSS")
                samples.append(Sample(event["done"], seconds, *used))
    if process.returncode:
        sys.exit(process.returncode)
    return samples, most


def gathered(path: Path) -> float:
    """Return the MB that the results took in memory."""
    sizes = []

    def add(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and name.split("/")[0] in GATHERED:
            sizes.append(item.nbytes)

    with h5py.File(path) as file:
        file.visititems(add)
    return sum(sizes) / 1e6


def table(samples: list[Sample]) -> list[str]:
    """Return a line a tenth of the images, and the ratios of the halves."""
    done, *seconds, resident = map(np.array, zip(*samples, strict=True))
    # From the first batch on: before it, everything is read and compiled.
    ends = np.searchsorted(done, np.linspace(done[0], done[-1], 11))

    def rates(ends: np.ndarray) -> list[np.ndarray]:
        return [np.diff(done[ends]) / np.diff(clock[ends]) for clock in seconds]

    lines = [
        (done[end], f"{resident[end]:.0f}", f"{by_wall:.1f}", f"{by_cpu:.1f}")
        for end, by_wall, by_cpu in zip(ends[1:], *rates(ends), strict=True)
    ]
    first, last = resident[: ends[5]].mean(), resident[ends[5] :].mean()
    by_wall, by_cpu = (rate[1] / rate[0] for rate in rates(ends[::5]))
    names = ["images", "resident / MB", "images/s", "images a CPU second"]
    return [
        markdown.table(names, lines),
        "",
        f"last half / first half: resident memory {last / first:.3f}, images/s "
        f"{by_wall:.3f}, images a CPU second {by_cpu:.3f}",
    ]


def main(argv: list[str]) -> None:
    """Print and write the table."""
    del argv
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples, most = evaluate(folder)
        results = gathered(folder / "out" / "reconstructions.h5")
    grown = samples[-1].resident - samples[len(samples) // 10].resident
    lines = [
        f"{_N_IMAGES.value} images of {_SIZE.value} x {_SIZE.value}, {_STEPS.value} "
        f"steps, batches of {_BATCH.value}; in {samples[-1].seconds:.0f} s",
        "",
        *table(samples),
        f"grown by {grown:.1f} MB since the first tenth; the results are {results:.1f} "
        f"MB; the most, all files written, {most:.0f} MB",
    ]
    print(*lines, sep="\n", flush=True)
    if _OUT.value:
        Path(_OUT.value).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    app.run(main)
