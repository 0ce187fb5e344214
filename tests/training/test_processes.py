"""Two processes of two devices each, killed and resumed, train as one device does."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from subprocess import PIPE

import jax
import numpy as np
import pytest
import test_train

from mgdm_jax import processes, train
from mgdm_jax.commands import workdirs
from mgdm_jax.training import checkpoints, sources, steps

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
for _ in range(2):  # the second time it is finished
    path = test_train.train_to_the_end(test_processes.config(), pathlib.Path(workdir))
    print(path.name, path.stat().st_mtime_ns)
"""


def config():
    """Return four steps on batches of four, saved at the second."""
    made = test_train.tiny_config()
    made.train.batch_size = made.train.sample_every = 4
    return made


def start_two(words_of, folder):
    """Return exit codes and stdout of both.

    Args:
      words_of: (coordinator, index) -> words after `python`.
      folder: for what they write to stderr.
    """
    with socket.socket() as free:
        free.bind(("localhost", 0))
        coordinator = f"localhost:{free.getsockname()[1]}"
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": "2",
        "PYTHONPATH": f"{TESTS.parent}:{TESTS}:{TESTS / 'training'}",
    }
    started = []
    for index in range(2):
        environment["JAX_COMPILATION_CACHE_DIR"] = str(folder / f"xla{index}")
        with (folder / f"err{index}").open("w") as err:
            words = [sys.executable, *words_of(coordinator, index)]
            started.append(
                subprocess.Popen(words, env=environment, stdout=PIPE, stderr=err)
            )
    try:
        told = [process.communicate(timeout=600)[0].decode() for process in started]
    finally:
        for process in started:
            process.kill()
    return [process.returncode for process in started], told


def train_two(workdir, last=0):
    """Train in a workdir; the first dies after step `last`."""

    def words(coordinator, index):
        return ["-c", PROGRAM, workdir, coordinator, str(index), str(last)]

    return start_two(words, workdir.parent)


def command_two(workdir, *more, n_steps=4):
    """Run the command to so many steps; return its stderr as well."""
    path = workdir.parent / "cfg.py"
    path.write_text("import test_processes\nget_config = test_processes.config\n")

    def words(coordinator, index):
        return [
            *("-m", "mgdm_jax.train", f"--config={path}", f"--workdir={workdir}"),
            *(f"--coordinator={coordinator}", "--n-processes=2"),
            *(f"--process-id={index}", f"--config.train.n_steps={n_steps}", *more),
        ]

    codes, told = start_two(words, workdir.parent)
    return codes, told, [(workdir.parent / f"err{i}").read_text() for i in range(2)]


def losses(workdir):
    with (workdir / "metrics.csv").open(newline="") as file:
        rows = [row | {"seconds": "0"} for row in csv.DictReader(file)]
    return [[float(value or 0) for value in row.values()] for row in rows]


@pytest.mark.long
def test_two_processes_train_as_one_and_resume(tmp_path, monkeypatch):
    one, two = tmp_path / "one", tmp_path / "two"
    codes, _ = train_two(two, last=3)
    assert codes[0] == -signal.SIGKILL and codes[1] != 0
    assert checkpoints.newest_step(two / "checkpoints") == 2
    codes, told = train_two(two)
    assert codes == [0, 0], (tmp_path / "err0").read_text()
    check_that_nothing_is_written_twice(told)
    monkeypatch.setattr(steps, "LEVELS", (250,))
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        test_train.train_to_the_end(config(), one)
    finally:
        jax.config.update("jax_disable_most_optimizations", False)
    assert len(losses(one)) == 4
    np.testing.assert_allclose(losses(two), losses(one), rtol=1e-4)
    names = [{p.name for p in folder.iterdir()} for folder in (one, two)]
    assert names[0] == names[1]
    check_that_one_cannot_go_on(two)
    check_that_no_process_waits_for_one_that_cannot_go_on(two)


def check_that_nothing_is_written_twice(told):
    """Of a training that is finished; and stdout has nothing of gloo's."""
    written, again = told[0].splitlines()
    assert written == again and written.startswith("prior.safetensors ")
    assert told[1] == told[0]


def check_that_one_cannot_go_on(workdir):
    before = (workdir / "config.json").read_bytes()
    longer = config()
    longer.train.n_steps = 5
    with pytest.raises(ValueError, match="are of 2 processes; go on with as many"):
        train.train(longer, workdir)
    assert (workdir / "config.json").read_bytes() == before


def check_that_no_process_waits_for_one_that_cannot_go_on(workdir):
    """The leader alone reads what is damaged; JAX would wait for it for 5 minutes."""
    for saved in (workdir / "checkpoints").glob("?/sha256"):
        saved.write_text("0")
    started = time.monotonic()
    codes, told, errors = command_two(workdir, "--log-format=json", n_steps=5)
    assert codes[0] == 2 and codes[1] != 0
    assert [json.loads(line)["event"] for line in told[0].splitlines()] == ["start"]
    assert told[1] == ""
    assert "all checkpoints in" in errors[0].splitlines()[-1]
    assert time.monotonic() - started < 250


def test_data_that_one_host_lacks_end_all(tmp_path, monkeypatch):
    def lacking(config):
        raise ValueError("train.h5: there is no such file.")

    monkeypatch.setattr(sources, "make_source", lacking)
    monkeypatch.setattr(workdirs, "check_shared", lambda _: None)
    monkeypatch.setattr(processes, "agree", lambda _: True)
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(processes, "hear", lambda words: ["", words])
    with pytest.raises(
        ValueError, match=r"^process 1: train\.h5: there is no such file"
    ):
        train.train(config(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_processes_of_other_flags_are_refused(tmp_path, monkeypatch):
    gathered = []

    def gather(digest):
        gathered.append(digest)
        return np.stack([digest, gathered[0]])

    with monkeypatch.context() as two:
        two.setattr(processes, "count", lambda: 2)
        two.setattr(processes.multihost_utils, "process_allgather", gather)
        assert processes.agree("0 config")
        assert not processes.agree("1 config")
    monkeypatch.setattr(processes, "agree", lambda _: False)
    with pytest.raises(ValueError, match="the processes differ in their config"):
        train.train(config(), tmp_path / "out")
    assert not (tmp_path / "out").exists()
