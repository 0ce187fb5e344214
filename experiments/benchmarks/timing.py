"""Fair times, of calls within one process and of whole commands."""

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np


def header() -> str:
    """Return what a table is of: devices and versions."""
    devices = jax.devices()
    versions = f"jax {jax.__version__}, numpy {np.__version__}"
    versions += f", Python {platform.python_version()}"
    return f"{len(devices)} x {devices[0].device_kind}, {versions}\n"


def spread(seconds: list[float]) -> float:
    """Return mean ÷ least, 1 where all rounds agree."""
    return statistics.fmean(seconds) / min(seconds)


def least(rounds: int, *calls: Callable[[], object]) -> list[float]:
    """Return the least seconds of each call over alternating rounds."""
    return [min(record) for record in each(rounds, *calls)]


def each(rounds: int, *calls: Callable[[], object]) -> list[list[float]]:
    """Return the seconds of each call in alternating rounds, after one unmeasured."""
    seconds = [[] for _ in calls]
    for _ in range(rounds + 1):
        for call, record in zip(calls, seconds, strict=True):
            started = time.perf_counter()
            jax.block_until_ready(call())
            record.append(time.perf_counter() - started)
    return [record[1:] for record in seconds]


def against_ideal(label: str, ideal_s: float, step_s: float) -> str:
    """Return a line of both times and what of the ideal the step takes, at its end."""
    times = f"ideal={1e3 * ideal_s:.1f}ms step={1e3 * step_s:.1f}ms"
    return f"{label} {times} ratio={step_s / ideal_s:.2f}"


def command(module: str, workdir: Path, cache: Path, words: list[str]) -> float:
    """Run a command with a compilation cache and return its seconds."""
    line = [sys.executable, "-m", f"mgdm_jax.{module}", f"--workdir={workdir}", *words]
    environment = os.environ | {"MGDM_JAX_CACHE": str(cache)}
    started = time.perf_counter()
    done = subprocess.run(
        line, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    return time.perf_counter() - started
