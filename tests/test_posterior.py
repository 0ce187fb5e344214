"""Mean and deviation of samples."""

import numpy as np
import pytest

from mgdm_jax import posterior
from mgdm_jax.reconstruction import Reconstruction


def drawn(images, diverged):
    return Reconstruction(images, images, np.zeros(len(images)), diverged, info=None)


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 2)])
def test_a_diverged_sample_is_in_no_summary(shape, rng):
    samples = rng.normal(size=(4, 3, *shape))
    diverged = np.zeros((4, 3), bool)
    diverged[1:, 0], diverged[2, 1] = True, True
    runs = [drawn(*pair) for pair in zip(samples, diverged, strict=True)]
    mean, std = posterior.mean_and_std(runs)
    np.testing.assert_allclose(mean[0], samples[0, 0])
    np.testing.assert_allclose(mean[1], samples[[0, 1, 3], 1].mean(0))
    np.testing.assert_allclose(mean[2], samples[:, 2].mean(0))
    assert std.shape == (3, 5, 4) and not std[0].any()
    want = samples[:, 2].var(0, ddof=1).reshape(5, 4, -1).sum(-1)
    np.testing.assert_allclose(std[2], np.sqrt(want))
