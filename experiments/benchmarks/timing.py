"""Fair times of calls within one process."""

import time
from collections.abc import Callable

import jax


def least(rounds: int, *calls: Callable[[], object]) -> list[float]:
    """Return the least seconds of each call over alternating rounds."""
    seconds = [[] for _ in calls]
    for _ in range(rounds + 1):
        for call, record in zip(calls, seconds, strict=True):
            started = time.perf_counter()
            jax.block_until_ready(call())
            record.append(time.perf_counter() - started)
    return [min(record[1:]) for record in seconds]
