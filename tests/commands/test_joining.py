"""How processes of one command find each other, and end."""

import os
import signal

import jax
import joined
import pytest

from mgdm_jax import processes

PROGRAM = """
import os
import signal
import sys
import time

from absl import flags
from jax._src import xla_bridge
from mgdm_jax.commands import launch

join = launch.define_processes()
flags.FLAGS(sys.argv)
join()
print(xla_bridge.CUDA_VISIBLE_DEVICES.value)
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(5)
print("alive")
"""


def test_sigterm_ends_one_of_several_processes():
    """JAX's preemption service would catch it."""
    [(code, _, err)] = joined.run(PROGRAM, ())
    assert code == -signal.SIGTERM, err


@pytest.mark.parametrize("automatic", [True, False])
@pytest.mark.parametrize(
    ("environment", "devices"),
    [
        ({"SLURM_STEP_TASKS_PER_NODE": "1(x2)"}, "all"),
        ({"SLURM_STEP_TASKS_PER_NODE": "1"}, "all"),
        ({"SLURM_NTASKS_PER_NODE": "1"}, "all"),
        ({"OMPI_COMM_WORLD_LOCAL_SIZE": "1"}, "all"),
        ({"SLURM_STEP_TASKS_PER_NODE": "4", "SLURM_NTASKS_PER_NODE": "1"}, "its own"),
        ({"SLURM_STEP_TASKS_PER_NODE": "2(x3),1"}, "its own"),
        ({"SLURM_STEP_TASKS_PER_NODE": "1", "JAX_LOCAL_DEVICE_IDS": "0,1"}, "its own"),
        ({"SLURM_NTASKS_PER_NODE": "1", "OMPI_COMM_WORLD_LOCAL_SIZE": "4"}, "its own"),
        ({}, "its own"),
    ],
)
def test_one_process_of_a_host_takes_all_of_its_devices(
    environment, devices, automatic, clusterless
):
    """JAX would take one, also where all flags are given."""
    for name, value in environment.items():
        clusterless.setenv(name, value)
    asked = []
    clusterless.setattr(
        processes.jax.distributed, "initialize", lambda *_, **more: asked.append(more)
    )
    clusterless.setattr(processes, "_keep_stdout_to_ourselves", lambda: None)
    processes.start("localhost:1", 2, 1, automatic=automatic)
    assert asked == [{"local_device_ids": {"all": [], "its own": None}[devices]}]


def test_jax_takes_no_devices_for_all_of_them():
    """Of a task of SLURM that is alone on its host, by the installed JAX."""
    slurm = {
        "SLURM_JOB_ID": "1",
        "SLURM_STEP_NODELIST": "host[0-1]",
        "SLURM_NTASKS": "2",
        "SLURM_PROCID": "1",
        "SLURM_LOCALID": "0",
    }
    alone = slurm | {"SLURM_STEP_TASKS_PER_NODE": "1(x2)"}
    told = [joined.run(PROGRAM, (), **said)[0][1] for said in (slurm, alone)]
    assert told == ["0\n", "all\n"]


@pytest.fixture
def clusterless(monkeypatch):
    """Return a monkeypatch of an environment that knows of no cluster."""
    for name in os.environ:
        if name.startswith(("SLURM_", "OMPI_", "JAX_")):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize("given", [(None, None, None), ("localhost:1", None, None)])
def test_no_cluster_is_one_line_that_names_the_flags(given, clusterless):
    """By the installed JAX's own words, which are looked at."""
    clusterless.setattr(processes.jax.distributed, "initialize", unstarted)
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
