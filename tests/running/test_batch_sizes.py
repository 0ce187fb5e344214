"""The batch that fits: arithmetic, and what a compiled program says of itself."""

import os

import jax
import numpy as np
import pytest
import tiny
from test_configs import ROOT, load

from mgdm_jax import factory, hyperparameters, processes
from mgdm_jax.running import batch_sizes

MB = 2**20


@pytest.mark.parametrize(
    ("one", "two", "available", "n", "want"),
    [
        (100, 110, 180, 1000, 8),  # 100 + 7 · 10 = 170, of 16 it would be 250
        (100, 110, 170, 1000, 8),  # to the byte
        (100, 110, 169, 1000, 4),
        (100, 110, 1e9, 1000, 512),  # as many as there are images, a power of two
        (100, 110, 1e9, 1, 1),
        (100, 110, 50, 1000, 1),  # nothing fits: one is tried
        (100, 100, 100, 16, 16),  # nothing an image
        (100, 90, 100, 16, 16),  # the larger program may be laid out better
    ],
)
def test_the_largest_power_of_two_that_fits(one, two, available, n, want):
    assert batch_sizes.largest(one, two, available, n) == want


def test_a_cpu_gives_what_is_free_to_all_its_devices():
    class Accelerator:
        def memory_stats(self):
            return {"bytes_limit": 7, "bytes_in_use": 1}

    assert batch_sizes.memory(Accelerator(), 4) == 6
    free = batch_sizes.memory(jax.local_devices()[0], 1)
    assert free > MB
    assert batch_sizes.memory(jax.local_devices()[0], 4) < free


def test_it_is_chosen_by_what_the_program_takes(tmp_path, monkeypatch):
    config = load(ROOT / "mri_brats.py")
    config.prior.path = tiny.write_prior(tmp_path)
    config.sampler.n_steps, config.data.n_images = 2, 8
    prior, measured, sampler = factory.build(config)
    arguments = (sampler, prior, measured, hyperparameters.resolve(config), 8)
    n_devices, seen = len(jax.local_devices()), []
    compare = batch_sizes.largest

    def spied(one, two, available, n):
        seen.append((one, two, n))
        image = 4 * np.prod(prior.image_shape)
        assert two - one > 2 * image  # the image and its measurement, at the least
        return compare(one, two, one + 3.5 * (two - one), n)

    monkeypatch.setattr(batch_sizes, "largest", spied)
    assert batch_sizes.choose(*arguments) == 4 * n_devices
    assert len(seen) == 1
    # Each of five processes gets a batch: 8 images in batches of two would be four.
    monkeypatch.setattr(processes, "count", lambda: 5)
    assert batch_sizes.choose(*arguments) == 1


def test_macos_does_not_say_what_is_free(monkeypatch):
    monkeypatch.setattr(batch_sizes.os, "sysconf_names", {"SC_PHYS_PAGES": 0})
    half = batch_sizes.memory(jax.local_devices()[0], 1)
    assert half == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2
