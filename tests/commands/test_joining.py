"""How processes of one command find each other, and end."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import mgdm_jax

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
