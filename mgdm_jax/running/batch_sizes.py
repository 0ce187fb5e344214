"""How many images one program may hold: `sampler.batch_size=0`."""

import os
from typing import Any

import jax
import numpy as np

from mgdm_jax import devices, processes, reconstruction
from mgdm_jax.factory import Prior, Sampler
from mgdm_jax.measurements import Measurements
from mgdm_jax.types import Guidance

SHARE = 0.8
"""Of a device's memory that the sampler may take; the rest is for all else."""


def largest(one: float, two: float, available: float, n: int) -> int:
    """Return the largest power of two of images that fit, 1 where none does.

    What a program takes is a constant (weights, shared operators) and so much an image:
    bytes(b) = one + (b - 1)(two - one).

    Args:
      one: bytes of the program of one image.
      two: of the program of two.
      available: bytes.
      n: images that there are; no more are taken.
    """
    each = max(two - one, 0.0)
    size = 1
    while 2 * size <= n and one + (2 * size - 1) * each <= available:
        size *= 2
    return size


def choose(
    sampler: Sampler,
    prior: Prior,
    measurements: Measurements,
    guidance: Guidance,
    m: int,
) -> int:
    """Return how many of m examples the devices of this process have room for at once.

    No batch is larger than the process's share of the images: each gets its part.
    Two programs are compiled, of one image a device and of two; what they take is
    XLA's own account of them.
    """
    share = max(1, m // processes.count())
    mesh = devices.mesh(at_most=share)
    program = reconstruction.compiled(sampler, measurements, share).sample

    def taken(each: int) -> int:
        index = np.arange(each * mesh.size) % len(measurements)
        keys = jax.random.split(jax.random.key(0), len(index))
        problem = measurements.problem(index)
        lowered = program.lower(keys, prior.params, problem, guidance)
        return devices.taken(lowered.compile())

    a_device = -(-share // mesh.size)
    if a_device == 1:
        return mesh.size
    available = SHARE * memory(mesh.devices.flat[0], mesh.size)
    return mesh.size * largest(taken(1), taken(2), available, a_device)


def memory(device: Any, n_devices: int) -> float:
    """Return the bytes that a device has left; of a CPU, its part of what is free.

    Args:
      device: one of this process.
      n_devices: of this process, which share a CPU's memory.
    """
    found = device.memory_stats()
    if found and "bytes_limit" in found:
        return found["bytes_limit"] - found.get("bytes_in_use", 0)
    page, known = os.sysconf("SC_PAGE_SIZE"), os.sysconf_names
    if "SC_AVPHYS_PAGES" not in known:  # macOS: half of what there is
        return os.sysconf("SC_PHYS_PAGES") * page / 2 / n_devices
    return os.sysconf("SC_AVPHYS_PAGES") * page / n_devices
