"""Kills the commands at random moments, and compares what they leave in the end.

Each command runs once without being disturbed. Then it is started in a fresh folder, is
killed (SIGKILL, workers and all) at a random moment of the time that took, and started
again by the same words, until it ends by itself: it must have left the same bits, and
nothing besides. Every second kill waits from its moment on for a file that is half
written. Moments that the resumed, shorter runs do not reach are left to further fresh
folders. A training has to go on as well if its newest checkpoint was damaged since, and
on another number of devices. Exit code 1 if anything differs.

    python -m experiments.kills --out experiments/results/kills.md
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import app, flags, logging

from experiments import markdown
from experiments.killing import jobs, leavings, trainings
from experiments.killing.jobs import Job
from experiments.killing.processes import (
    FailedError,
    Kill,
    Line,
    line,
    start,
    when_killed,
)

_KILLS = flags.DEFINE_integer("kills", 5, "Of each job, at least.", 1)
_JOBS = flags.DEFINE_list("jobs", list(jobs.NAMES), "Which.")
_SEED = flags.DEFINE_integer("seed", 0, "Of the moments.")
_OUT = flags.DEFINE_string("out", None, "Markdown file to write the table to.")

NOTE = """
Seconds from a start, and in brackets what was safe on disk then; "writing": something
half written lay there. Compared are all files that a command leaves: the same names and
the same bits of arrays, weights, tables, configurations and pictures; excepted are
{excepted}, reports (made of the rest) and the time stamps of checkpoints. Every start
of a fresh folder compiles anew. A disk that fills up is no kill:
`tests/test_full_disk.py` limits the size of files of `reconstruct` (HDF5, NumPy, NIfTI,
PNG), `run`, `prepare` and `convert`, and gives places nobody can write to: one line,
nothing half written, what was there is there still, finished volumes of `prepare` are
kept. It leaves out `train` and `sweep`.
"""


class Moment(NamedTuple):
    """When to kill: after so many seconds, and then perhaps as soon as it writes."""

    seconds: float
    in_write: bool

    def has_come(self, seconds: float, is_writing: Callable[[], bool]) -> bool:
        """Return whether it is here, for a job that was started so long ago."""
        return seconds >= self.seconds and (not self.in_write or is_writing())


NEVER = Moment(float("inf"), False)


def kill_and_compare(
    job: Job, base: Path, rng: np.random.Generator, n_kills: int
) -> list[Line]:
    """Return a line for every folder that a job was killed in until it ended."""
    reference = base / "reference"
    started = time.monotonic()
    start(job, reference)
    whole = time.monotonic() - started
    print(f"{job.name}: {whole:.0f} s undisturbed", flush=True)
    # One in each part of the time, in any order.
    shares = (rng.permutation(n_kills) + rng.random(n_kills)) / n_kills
    moments = [Moment(share * whole, i % 2 == 1) for i, share in enumerate(shares)]
    lines = []
    while moments:
        folder = base / f"{len(lines)}"
        kills: list[Kill] = []
        try:
            until_it_ends(job, folder, moments, kills)
        except FailedError as error:
            found = [str(error)]
            del moments[:1]
        else:
            found = leavings.differences(reference / "out", folder / "out")
        lines.append(line(job.name, kills, job, found))
        print(lines[-1], *found, sep="\n", flush=True)
    return lines


def until_it_ends(
    job: Job, folder: Path, moments: list[Moment], kills: list[Kill]
) -> None:
    """Start a job again and again, killing it.

    Args:
      job: to start.
      folder: fresh.
      moments: of the next kills. Those that were used are taken off; the one that a
        start did not live to see comes sooner the next time, and waits for no write.
      kills: how it was killed is added to these.

    Raises:
      FailedError: if it cannot go on.
    """
    while True:
        moment = moments[0] if moments else NEVER
        kill = start(job, folder, moment.has_come)
        if kill is None:
            moments[:1] = [Moment(0.8 * moment.seconds, False)] if moments else []
            return
        moments.pop(0)
        kills.append(kill)
        print(f"{job.name}: killed at {when_killed(kill, job)}", flush=True)


def table(lines: list[Line]) -> str:
    """Return the table with its note."""
    names = ["what", "killed at", "kills", "result"]
    rows = [(x.what, x.when, x.n_kills, x.result) for x in lines]
    total = f"{sum(x.n_kills for x in lines)} kills, {len(lines)} comparisons, "
    total += f"{sum(not x.equal for x in lines)} of them different."
    note = NOTE.format(excepted=", ".join(leavings.EXCEPTED))
    return "\n".join([markdown.table(names, rows), "", total, note])


def main(argv: list[str]) -> None:
    """Print and write the table."""
    del argv
    logging.set_verbosity(logging.ERROR)  # orbax misses files that it has not written
    work = Path(tempfile.mkdtemp(prefix="kills-"))
    (work / "inputs").mkdir()
    rng, lines = np.random.default_rng(_SEED.value), []
    for i, job in enumerate(jobs.make(work / "inputs", _JOBS.value)):
        base = work / f"{i}"
        lines += kill_and_compare(job, base, rng, _KILLS.value)
        if job.name == "train":
            lines += trainings.lines(job, base)
    text = table(lines)
    print(text, flush=True)
    if _OUT.value:
        Path(_OUT.value).parent.mkdir(parents=True, exist_ok=True)
        Path(_OUT.value).write_text(text)
    if not all(one.equal for one in lines):
        sys.exit(f"what differs lies in {work}")
    shutil.rmtree(work)


if __name__ == "__main__":
    app.run(main)
