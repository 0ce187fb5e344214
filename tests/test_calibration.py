"""Coverage of samples whose posterior is known, and of ones that are too sure."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mgdm_jax import calibration

SHAPE = (60, 70)
MASK = np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE) % 3 > 0


def draw(k, spread, seed=0):
    """Return k samples and a truth; samples have `spread` of the posterior's."""
    rng = np.random.default_rng(seed)
    mean, std = rng.normal(size=SHAPE), rng.uniform(0.1, 2.0, SHAPE)
    truth = mean + std * rng.normal(size=SHAPE)
    samples = mean + spread * std * rng.normal(size=(k, *SHAPE))
    return jnp.asarray(samples, jnp.float32), jnp.asarray(truth, jnp.float32)


@pytest.mark.parametrize("k", [2, 5, 16])
def test_draws_of_the_posterior_are_calibrated(k):
    samples, truth = draw(k, 1.0)
    found = calibration.calibration(samples, truth, jnp.asarray(MASK))
    assert len(found.nominal) == k // 2
    np.testing.assert_allclose(found.coverage, found.nominal, atol=0.03)
    assert found.spread_to_error == pytest.approx(1, abs=0.05)


def test_overconfidence_shows():
    samples, truth = draw(16, 0.5)
    found = calibration.calibration(samples, truth, jnp.asarray(MASK))
    assert (found.coverage < found.nominal - 0.02).all()
    assert found.spread_to_error == pytest.approx(0.5, abs=0.05)
    assert (np.diff(found.nominal) > 0).all() and (np.diff(found.coverage) > 0).all()


def test_deviation_that_follows_the_error_correlates():
    samples, truth = draw(64, 1.0)
    found = calibration.calibration(samples, truth, jnp.asarray(MASK))
    std, error = samples.std(0, ddof=1)[MASK], jnp.abs(samples.mean(0) - truth)[MASK]
    want = np.corrcoef(std, error)[0, 1]
    assert found.correlation == pytest.approx(want, abs=1e-4) and want > 0.3


def test_only_the_mask_counts_and_vmap_is_the_loop():
    samples, truth = draw(4, 1.0)
    mask = jnp.asarray(MASK)
    one = calibration.calibration(samples, truth, mask)
    spoilt = jnp.where(mask, truth, 1e3)
    many = jax.jit(jax.vmap(calibration.calibration))(
        jnp.stack([samples, samples]), jnp.stack([truth, spoilt]), jnp.stack([mask] * 2)
    )
    for alone, both in zip(one, many, strict=True):
        np.testing.assert_allclose(both, [alone, alone], rtol=1e-5)


def test_one_sample_says_nothing():
    samples, truth = draw(1, 1.0)
    with pytest.raises(ValueError, match="two samples"):
        calibration.calibration(samples, truth, jnp.asarray(MASK))
