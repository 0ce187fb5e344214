"""Every search, row, table and figure, several at once: for a machine with a GPU.

Each step is a command of `experiments`, resumable by itself; this starts one as soon as
what it needs is done and tells how it ended. What a search has found goes into the
package at once, and its row is computed with it. Interrupted, or after so many minutes,
it ends the steps that run; the same command goes on, as steps that were done are kept.
After a prior or a search has changed, begin with another --out: steps know what of
theirs is stale, but are not asked once they are done.

    python -m experiments.everything --workers=8 --minutes=60 --only=23views
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from absl import app, flags

from experiments import agenda, keeping
from experiments.agenda import Step
from mgdm_jax.storage import locks

_WORKERS = flags.DEFINE_integer("workers", 4, "Steps at once.", 1)
_MINUTES = flags.DEFINE_float("minutes", 60.0, "Then what runs is ended.")
_ONLY = flags.DEFINE_string("only", "", "Regular expression for the steps' names.")
_LIST = flags.DEFINE_bool("list", False, "Name the steps and do nothing.")
_CHUNK = flags.DEFINE_integer("chunk", 8, "Candidates of a search at once.", 1)
_LONG_SLICES = flags.DEFINE_integer("long_slices", 16, "Most slices of long rows.")
_OUT = flags.DEFINE_string("out", "runs/everything", "Folder of logs and what is done.")


class Crew:
    """Steps that run, each a process group of its own."""

    def __init__(self, folder: Path):
        self.running: dict[str, tuple[subprocess.Popen, float]] = {}
        self._folder = folder

    def start(self, step: Step) -> None:
        """Start a step, whose words go to its log."""
        path = self._folder / f"{re.sub('[^a-z0-9.]+', '-', step.name.lower())}.log"
        module, *rest = step.words
        words = [sys.executable, "-m", f"experiments.{module}", *rest]
        share = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        with path.open("a") as log:
            process = subprocess.Popen(
                words,
                env=os.environ | share,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.running[step.name] = (process, time.monotonic())

    def ended(self) -> dict[str, bool]:
        """Return the steps that have ended since, and whether well."""
        found = {}
        for name, (process, started) in list(self.running.items()):
            if process.poll() is not None:
                del self.running[name]
                found[name] = process.returncode == 0
                how = "done" if found[name] else f"failed, see {self._folder}"
                print(f"{name}: {how}, {time.monotonic() - started:.0f} s", flush=True)
        return found

    def end(self) -> None:
        """End all that runs; what they keep is written whole."""
        for name, (process, _) in self.running.items():
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            print(f"{name}: broken off", flush=True)


def take_choices() -> None:
    """Write into the package what the searches chose; rows are computed with that."""
    subprocess.run([sys.executable, "-m", "experiments.chosen"], check=True)


def work(steps: list[Step], crew: Crew, kept: Path, until: float) -> set[str]:
    """Run what can run until then, and return the names of what is left."""
    take_choices()
    done, failed = set(keeping.read(kept)), set()
    while time.monotonic() < until:
        for name, well in crew.ended().items():
            if well and name.startswith("search"):
                take_choices()
            if well:
                done = set(keeping.add(kept, name, {}))
            else:
                failed.add(name)
        can_start = agenda.ready(steps, done, failed | set(crew.running))
        for step in can_start[: _WORKERS.value - len(crew.running)]:
            crew.start(step)
        if not crew.running:
            break
        time.sleep(0.5)
    return {step.name for step in steps} - done


def main(argv: list[str]) -> None:
    """Run the steps asked for, and name those that are left."""
    del argv
    made = agenda.steps(_CHUNK.value, _LONG_SLICES.value)
    steps = [step for step in made if re.search(_ONLY.value, step.name)]
    folder = Path(_OUT.value)
    if _LIST.value:
        print("\n".join(f"{step.name}: {' '.join(step.words)}" for step in steps))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    folder.mkdir(parents=True, exist_ok=True)
    crew = Crew(folder)
    with locks.present(folder / ".lock") as here:
        if not here.alone:
            sys.exit(f"error: another one is at work in {folder}; wait for its end.")
        try:
            until = time.monotonic() + 60 * _MINUTES.value
            left = work(steps, crew, folder / "done.json", until)
        finally:
            crew.end()
    print(f"left: {json.dumps(sorted(left))}", flush=True)


if __name__ == "__main__":
    app.run(main)
