"""Simulated noise: its level, where it falls, and that it is the sampler's no more."""

import jax
import numpy as np
import pytest
from test_configs import ROOT, load

from mgdm_jax import simulate

SIGMA = 0.05


def noise_of(shape, seed=3):
    """Return (noise, operator) of the task's simulation, without the clean part."""
    config = load(ROOT / "mri_brats.py", "smoke")
    config.sampler.seed = seed
    clean = simulate.simulate(config, shape)
    config.task.noise_std = SIGMA
    noisy = simulate.simulate(config, shape)
    assert noisy.noise_std == SIGMA and noisy.facts["noise_std"] == SIGMA
    return np.asarray(noisy.measurement - clean.measurement), noisy.operator


@pytest.mark.parametrize("shape", [(120, 120), (120, 120, 2)])
def test_level_and_support(shape):
    noise, operator = noise_of(shape)
    sampled = np.asarray(operator.mask) > 0
    assert np.all(noise[:, ~sampled] == 0)
    for part in (noise[:, sampled].real, noise[:, sampled].imag):
        assert part.std() == pytest.approx(SIGMA, rel=0.03)


def test_noise_is_independent_of_the_sampler_s_draws():
    """Neither the seed's key nor any key that the sampler splits from it is drawn."""
    noise, operator = noise_of((120, 120))
    sampled = np.asarray(operator.mask) > 0
    root = jax.random.key(3)
    keys = [root, *jax.random.split(root, len(noise))]
    keys += [start for key in keys[1:] for start in jax.random.split(key)]
    for key in keys:
        for draw in (
            jax.random.normal(key, (2, *noise.shape))[0],
            jax.random.normal(key, noise.shape),
        ):
            one, other = noise.real[:, sampled], np.asarray(draw)[:, sampled]
            assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.06
