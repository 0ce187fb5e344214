"""How processes of one command find each other, and end."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import jax
import pytest

import mgdm_jax
from mgdm_jax import processes

PROGRAM = """
import os
import signal
import sys
import time

from absl import flags
from mgdm_jax.commands import launch

join = launch.define_processes()
flags.FLAGS(sys.argv)
join()
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(5)
print("alive")
"""


def join_one(**environment):
    """Let one process join itself and then get a SIGTERM."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        coordinator = f"localhost:{free.getsockname()[1]}"
    flags = (f"--coordinator={coordinator}", "--n_processes=1", "--process_id=0")
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *flags],
        env=os.environ
        | {
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": str(Path(mgdm_jax.__file__).parents[1]),
        }
        | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_sigterm_ends_one_of_several_processes():
    """JAX's preemption service would catch it."""
    ended = join_one()
    assert ended.returncode == -signal.SIGTERM, ended.stderr


@pytest.mark.parametrize("given", [(None, None, None), ("localhost:1", None, None)])
def test_no_cluster_is_one_line_that_names_the_flags(given, monkeypatch):
    """By the installed JAX's own words, which are looked at."""
    for name in os.environ:
        if name.startswith(("SLURM_", "OMPI_", "JAX_")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(processes.jax.distributed, "initialize", unstarted)
    with pytest.raises(
        ValueError, match=r"no cluster found .* give --coordinator, --n"
    ):
        processes.start(*given, automatic=True)


def unstarted(*given, **more):
    """Do what JAX does, which refuses in tests for it has been used."""
    jax._src.distributed.State().initialize(*given, **more)


def test_an_address_has_a_port():
    """JAX raises an IndexError."""
    with pytest.raises(ValueError, match="--coordinator must be HOST:PORT, got host0"):
        processes.start("host0", 2, 0, automatic=False)
