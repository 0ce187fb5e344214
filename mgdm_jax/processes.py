"""Several processes of one run, on one host or many: who leads, and what is whose."""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

import jax
from jax.experimental import multihost_utils

_T = TypeVar("_T")


def meet() -> None:
    """Wait for all; where they come to at the same time, see `resumable`."""
    if count() > 1:
        with _nothing_on_stdout():
            multihost_utils.sync_global_devices("mgdm_jax")


def count() -> int:
    """Return how many there are."""
    return jax.process_count()


def index() -> int:
    """Return which of them this is; 0 leads: it merges and tells."""
    return jax.process_index()


def share(jobs: Sequence[_T]) -> Sequence[_T]:
    """Return this process's part of the jobs."""
    return jobs[index() :: count()]


@contextlib.contextmanager
def _nothing_on_stdout() -> Iterator[None]:
    """Let what libraries tell go to stderr: gloo counts its peers on stdout."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
