"""Draws of a prior that is known exactly."""

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import analytic, factory, schedules
from mgdm_jax.training import unconditional


def gaussian_prior(mean, variances):
    gaussian = analytic.Gaussian(jnp.asarray(mean), jnp.asarray(variances), jnp.eye(4))
    return factory.Prior(
        denoise=analytic.gaussian_denoiser,
        params=gaussian,
        alpha_bar=schedules.discrete_vp("linear"),
        image_shape=(2, 2),
        noise_scale=1.0,
        centre=0.0,
    )


def test_draws_of_a_gaussian_have_its_mean_and_variance(key):
    mean = np.array([[0.5, -1.0], [0.0, 2.0]], np.float32)
    variances = np.array([0.2, 0.5, 1.0, 1.5], np.float32)
    prior = gaussian_prior(mean, variances)
    images = unconditional.draw(key, prior, n=4000, n_steps=200)
    assert images.shape == (4000, 2, 2)
    np.testing.assert_allclose(images.mean(0), mean, atol=0.08)
    np.testing.assert_allclose(images.var(0).ravel(), variances, rtol=0.1)
    other = unconditional.draw(jax.random.key(1), prior, n=1, n_steps=200)
    assert np.abs(other - images[:1]).max() > 1e-3


def test_other_weights_are_drawn_by_the_same_program(key):
    prior, n_traces = gaussian_prior(np.zeros((2, 2)), np.ones(4)), 0

    def denoise(*arguments):
        nonlocal n_traces
        n_traces += 1
        return prior.denoise(*arguments)

    run = unconditional.make_draw(prior._replace(denoise=denoise), 2)
    keys = jax.random.split(key, 3)
    first = run(keys, prior.params)
    assert n_traces
    before = n_traces
    shifted = prior.params._replace(mean=prior.params.mean + 1.0)
    assert np.abs(run(keys, shifted) - first).min() > 0.1
    assert n_traces == before
