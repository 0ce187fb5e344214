"""Two processes of two devices each, killed and resumed, train as one device does."""

import csv
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import test_train

from mgdm_jax import train
from mgdm_jax.training import checkpoints, steps

TESTS = Path(test_train.__file__).parent

PROGRAM = """
import os
import pathlib
import signal
import sys

import jax
import test_train
import test_processes
from mgdm_jax import processes
from mgdm_jax.training import log, steps

workdir, coordinator, index, last = sys.argv[1:]
append = log.append


def append_or_die(path, row, columns):
    append(path, row, columns)
    if row["step"] == int(last):
        os.kill(os.getpid(), signal.SIGKILL)


log.append = append_or_die
steps.LEVELS = (250,)
jax.config.update("jax_disable_most_optimizations", True)
processes.start(coordinator, 2, int(index), automatic=False)
assert jax.device_count() == 4 and len(jax.local_devices()) == 2
test_train.train_to_the_end(test_processes.config(), pathlib.Path(workdir))
print("done")
"""


def config():
    """Return four steps on batches of four, saved at the second."""
    made = test_train.tiny_config()
    made.train.batch_size = 4
    return made


def start_two(workdir, last=0):
    """Return exit codes and stdout of both; the first dies after step `last`."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": "2",
        "PYTHONPATH": f"{TESTS.parent}:{TESTS}:{TESTS / 'training'}",
    }
    words = ["-c", PROGRAM, str(workdir), f"localhost:{port}"]
    started = [
        subprocess.Popen(
            [sys.executable, *words, str(index), str(last)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    told = [process.communicate(timeout=1200) for process in started]
    codes = [process.returncode for process in started]
    assert last or codes == [0, 0], told
    return codes, [out for out, _ in told]


def losses(workdir):
    with (workdir / "metrics.csv").open(newline="") as file:
        rows = [row | {"seconds": "0"} for row in csv.DictReader(file)]
    return [[float(value or 0) for value in row.values()] for row in rows]


def test_two_processes_train_as_one_and_resume(tmp_path, monkeypatch):
    one, two = tmp_path / "one", tmp_path / "two"
    codes, _ = start_two(two, last=3)
    assert codes[0] == -signal.SIGKILL and codes[1] != 0
    assert checkpoints.newest_step(two / "checkpoints") == 2
    _, told = start_two(two)
    assert told == ["done\n", "done\n"]  # and nothing of gloo's
    monkeypatch.setattr(steps, "LEVELS", (250,))
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        test_train.train_to_the_end(config(), one)
    finally:
        jax.config.update("jax_disable_most_optimizations", False)
    assert len(losses(one)) == 4
    np.testing.assert_allclose(losses(two), losses(one), rtol=1e-5)
    names = [{p.name for p in folder.iterdir()} for folder in (one, two)]
    assert names[0] == names[1]

    before = (two / "config.json").read_bytes()
    longer = config()
    longer.train.n_steps = 5
    with pytest.raises(ValueError, match="are of 2 processes; go on with as many"):
        train.train(longer, two)
    assert (two / "config.json").read_bytes() == before
