"""Several samples of every image: their keys, in any batches, and their summaries."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import operator_cases
import pytest

from mgdm_jax import factory, posterior, reconstruction
from mgdm_jax.measurements import Measurements
from mgdm_jax.reconstruction import Reconstruction
from mgdm_jax.types import Guidance, StepInfo

N, K = 3, 4
NO_PRIOR = factory.Prior(None, {}, None, (), 1.0, 0.0)


def sampler(key, params, problem, guidance):
    """Return noise on the back-projection, and steps that tell the image apart."""
    del params, guidance
    back = problem.operator.adjoint(problem.measurement)
    step = StepInfo(back.sum(), back.max(), jnp.bool_(True), back)
    info = jax.tree.map(lambda v: jnp.stack([v, v]), step)
    return back + jax.random.normal(key, back.shape), info


@pytest.fixture(scope="module")
def measured():
    operator = operator_cases.real_fourier((8, 8))
    images = jax.random.normal(jax.random.key(1), (N, 8, 8))
    y, scale = jax.vmap(operator.forward)(images), np.ones(N)
    return Measurements(operator, y, 0.0, None, scale, None, {})


def drawn(measured, batch_size):
    numbers = Guidance.of(zeta=0, lam=0, rho=0, eta=1)
    args = (jax.random.key(0), K, sampler, NO_PRIOR, measured, numbers, batch_size)
    return posterior.draw(*args)


def test_no_two_examples_share_a_key():
    """`fold_in(key, i)` alone is `split(key, n)[i]`, the key of image i."""
    key = jax.random.key(0)
    keys = posterior.keys(key, K, N)
    assert len({tuple(row) for row in jax.random.key_data(keys).tolist()}) == K * N
    assert (keys[:N] == jax.random.split(key, N)).all()
    with pytest.raises(ValueError, match="n_samples must be at least 1"):
        posterior.keys(key, 0, N)


@pytest.mark.parametrize("batch_size", [2, 5, K * N, 100])
def test_samples_share_programs_and_are_the_same(batch_size, measured):
    """Five at once are of two samples, some batches of three."""
    one_by_one, at_once = drawn(measured, 1), drawn(measured, batch_size)
    assert len(at_once) == K
    jax.tree.map(np.testing.assert_array_equal, one_by_one, at_once)
    back = jax.vmap(measured.operator.adjoint)(measured.measurement)
    for sample in at_once:
        np.testing.assert_array_equal(sample.info.prox_gap[:, 0], back.max((1, 2)))
    watched = reconstruction.watched(N)
    np.testing.assert_array_equal(at_once[0].x0_hat[0], back[watched])
    assert all(sample.x0_hat is None for sample in at_once[1:])


def test_the_first_sample_is_the_run_s_own(measured):
    numbers = Guidance.of(zeta=0, lam=0, rho=0, eta=1)
    args = (jax.random.key(0), sampler, NO_PRIOR, measured, numbers, 2)
    want = reconstruction.reconstruct(*args)
    jax.tree.map(np.testing.assert_array_equal, drawn(measured, 2)[0], want)


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 2)])
def test_a_diverged_sample_is_in_no_summary(shape, rng):
    samples = rng.normal(size=(K, N, *shape))
    diverged = np.zeros((K, N), bool)
    diverged[1:, 0], diverged[2, 1] = True, True
    runs = [
        Reconstruction(images, images, np.zeros(N), flags, info=None)
        for images, flags in zip(samples, diverged, strict=True)
    ]
    mean, std = posterior.mean_and_std(runs)
    np.testing.assert_allclose(mean[0], samples[0, 0])
    np.testing.assert_allclose(mean[1], samples[[0, 1, 3], 1].mean(0))
    np.testing.assert_allclose(mean[2], samples[:, 2].mean(0))
    assert std.shape == (N, 5, 4) and np.isnan(std[0]).all()  # of one sample
    want = samples[:, 2].var(0, ddof=1).reshape(5, 4, -1).sum(-1)
    np.testing.assert_allclose(std[2], np.sqrt(want))


@pytest.fixture
def weighed():
    """Return images, and measurements of them without and with weights."""
    operator = operator_cases.ct()
    x = np.asarray(jax.random.normal(jax.random.key(2), (N, *operator.image_shape)))
    y = jax.vmap(operator.forward)(x)
    weight = np.random.default_rng(0).uniform(0.3, 1, y.shape).astype(np.float32)
    plain = Measurements(operator, y, 0.0, None, np.ones(N), None, {})
    return x, plain, dataclasses.replace(plain, weight=weight, noise_std=np.ones(N))


def test_weights_stay_with_their_images(weighed):
    _, plain, other = weighed
    operator, y, w = plain.operator, plain.measurement, other.weight
    want = jax.vmap(operator.adjoint)(w**2 * y) - jax.vmap(operator.adjoint)(y)
    for got, without in zip(drawn(other, 2), drawn(plain, 2), strict=True):
        np.testing.assert_allclose(got.images - without.images, want, atol=1e-5)


def test_weights_of_measurements_do_not_change_what_they_miss(weighed):
    x, plain, other = weighed
    want, got = (posterior.unseen(given, x) for given in (plain, other))
    np.testing.assert_array_equal(got, want)
    assert np.abs(want).max() > 0.1
