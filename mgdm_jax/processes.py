"""Several processes of one command, on one host or many: who leads, what is whose."""

import contextlib
import hashlib
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

_T = TypeVar("_T")

_ON_A_HOST = (
    "OMPI_COMM_WORLD_LOCAL_SIZE",
    "SLURM_STEP_TASKS_PER_NODE",
    "SLURM_NTASKS_PER_NODE",
)
"""What says how many processes a host has; SLURM of several `2(x3),1`."""
_SAID = 1024
"""Bytes of what one lets the others hear."""
_LAST_S = 1.0
"""Seconds for which the first lets the others end: without it JAX aborts them."""


def start(
    coordinator: str | None,
    n_processes: int | None,
    process_id: int | None,
    *,
    automatic: bool,
) -> None:
    """Join the others, before JAX is used for anything else.

    Args:
      coordinator: HOST:PORT at which the first process listens.
      n_processes: how many there are.
      process_id: which of them this is, from 0.
      automatic: whether the cluster tells these, as TPU pods and SLURM do.

    Raises:
      ValueError: with one line, if they cannot be joined.
    """
    if not automatic:
        if coordinator is None or n_processes is None or process_id is None:
            raise ValueError(
                "several processes need --coordinator, --n-processes and --process-id, "
                "or --distributed where the cluster tells them."
            )
        if not 0 <= process_id < n_processes:
            raise ValueError(
                f"--process-id must lie in 0 … {n_processes - 1}, got {process_id}."
            )
    if coordinator and not re.search(r":\d+$", coordinator):
        raise ValueError(f"--coordinator must be HOST:PORT, got {coordinator}.")
    try:
        jax.distributed.initialize(
            coordinator, n_processes, process_id, local_device_ids=_local_devices()
        )
    except ValueError as error:
        if "defined" not in str(error):  # JAX's word for what no cluster told it
            raise
        raise ValueError(
            "no cluster found that tells of the processes; give --coordinator, "
            "--n-processes and --process-id."
        ) from error
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"the processes cannot be joined: {reason}") from error
    _keep_stdout_to_ourselves()


def meet() -> None:
    """Wait for all."""
    if count() > 1:
        multihost_utils.sync_global_devices("mgdm_jax")


def agree(facts: str) -> bool:
    """Return whether all give the same facts; waits for all."""
    alike = len(set(hear(hashlib.sha256(facts.encode()).hexdigest()))) == 1
    if not alike:
        _let_others_end()
    return alike


def hear(words: str) -> list[str]:
    """Return what each says, the beginning of longer words; waits for all.

    To the first such meeting, of any kind, all must come at about the same time, see
    `resumable`; once they know each other, the others wait.

    Raises:
      ValueError: with one line, if one has ended.
    """
    if count() == 1:
        return [words]
    said = np.zeros(_SAID, np.uint8)
    given = np.frombuffer(words.encode()[:_SAID], np.uint8)
    said[: len(given)] = given
    try:
        heard = np.asarray(multihost_utils.process_allgather(said))
    except (jax.errors.JaxRuntimeError, ValueError) as error:  # XLA's, either
        raise ValueError("another process has ended; see what it says.") from error
    return [row.tobytes().rstrip(b"\0").decode(errors="ignore") for row in heard]


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Let all fail if one does, for they would wait for it; waits for all at the end.

    Raises:
      ValueError: on all of them, with the line of the first that fails, and its number
        if not all say the same.
    """
    failed = None
    try:
        yield
    except (ValueError, OSError) as error:
        if count() == 1:
            raise
        failed = error
    own = (str(failed) or type(failed).__name__) if failed else ""
    reasons = hear(" ".join(own.split()))
    index, reason = next(((i, said) for i, said in enumerate(reasons) if said), (0, ""))
    if not reason:
        return
    _let_others_end()
    if len(set(reasons)) > 1:
        reason = f"process {index}: {reason}"
    raise ValueError(reason) from failed


def count() -> int:
    """Return how many there are."""
    return jax.process_count()


def index() -> int:
    """Return which of them this is, from 0."""
    return jax.process_index()


def leads() -> bool:
    """Return whether this is the one that writes and tells."""
    return index() == 0


def share(jobs: Sequence[_T]) -> Sequence[_T]:
    """Return this process's part of the jobs."""
    return jobs[index() :: count()]


def _let_others_end() -> None:
    if leads():
        time.sleep(_LAST_S)


def _local_devices() -> list[int] | None:
    """Return [] for all devices of the host, None where JAX is to choose.

    Under SLURM and Open MPI it takes one, that of the process's number on its host:
    also where it is alone there, and where all else has been given.
    """
    if os.environ.get("JAX_LOCAL_DEVICE_IDS"):
        return None
    # `mpirun` under SLURM is one task a host, whatever it then starts.
    told = (os.environ.get(name, "") for name in _ON_A_HOST)
    counts = next((count for count in told if count), "")
    return [] if re.fullmatch(r"1(\(x\d+\))?", counts) else None


def _keep_stdout_to_ourselves() -> None:
    """Let what libraries tell go to stderr: gloo counts its peers on stdout."""
    sys.stdout.flush()
    before = sys.stdout
    kept = os.dup(1)
    sys.stdout = os.fdopen(
        kept, "w", buffering=1, encoding=before.encoding, errors=before.errors
    )
    os.dup2(2, 1)
