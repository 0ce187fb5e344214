"""Commands started to be killed, and the rows of what became of them."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from experiments.killing.jobs import Job
from mgdm_jax.storage import aside

ROOT = Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True)
class Kill:
    """When a process was killed.

    Attributes:
      seconds: after its start.
      done: how much was safe.
      writing: whether it had made something by half.
    """

    seconds: float
    done: int
    writing: bool


class FailedError(Exception):
    """A command that ended otherwise than it should."""


def _opened(job: Job, folder: Path, n_devices: int) -> subprocess.Popen:
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "MGDM_JAX_CACHE": str(folder / "cache"),
        "JAX_NUM_CPU_DEVICES": str(n_devices),
    }
    module, *words = job.words
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", f"mgdm_jax.{module}", *words],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def start(
    job: Job,
    folder: Path,
    until: Callable[[float, Callable[[], bool]], bool] = lambda *_: False,
    n_devices: int = 1,
) -> Kill | None:
    """Start a job in its folder; return how it was killed, None if it ended by itself.

    Args:
      job: whose words are its command's.
      folder: where; `log` takes what it tells.
      until: (seconds, whether it is writing) -> whether it is to be killed now.
      n_devices: JAX's, of the CPU.

    Raises:
      FailedError: if it fails, but for telling that nothing is left to do.
    """
    (folder / "out").mkdir(parents=True, exist_ok=True)
    before = half_made(folder)

    def is_writing() -> bool:
        return not half_made(folder) <= before

    started = time.monotonic()
    process = _opened(job, folder, n_devices)
    try:
        while process.poll() is None:
            if until(time.monotonic() - started, is_writing):
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                seconds = time.monotonic() - started
                return Kill(seconds, job.done(folder), is_writing())
            time.sleep(1e-3)  # a table is written in not much more
    finally:
        if process.poll() is None:  # we are interrupted
            os.killpg(process.pid, signal.SIGKILL)
    told = (folder / "log").read_text(errors="replace")
    if process.returncode and not (job.refusal and job.refusal in told[-500:]):
        raise FailedError(f"{folder / 'log'} ends with {told.splitlines()[-1]!r}")
    return None


def half_made(folder: Path) -> set[str]:
    """Return what lies in the folder of a job and will not stay."""
    found = set()
    for place, folders, files in os.walk(folder / "out"):
        found |= {
            f"{place}/{name}"
            for name in (*folders, *files)
            if aside.meant(name) != name
            or name.endswith("-journal")  # SQLite's
            or "orbax-checkpoint-tmp" in name
        }
    return found


@dataclasses.dataclass
class Line:
    """A row of the table."""

    what: str
    when: str
    n_kills: int
    result: str
    equal: bool


def line(what: str, kills: list[Kill], job: Job, found: list[str]) -> Line:
    """Return a row of the table."""
    when = ", ".join(when_killed(kill, job) for kill in kills) or "never"
    result = f"differs: {'; '.join(found[:3])}" if found else "equal"
    return Line(what, when, len(kills), result, not found)


def when_killed(kill: Kill, job: Job) -> str:
    """Return seconds, progress and whether it was writing."""
    writing = ", writing" if kill.writing else ""
    return f"{kill.seconds:.1f} s ({kill.done} of {job.total} {job.unit}{writing})"
