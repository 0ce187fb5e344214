"""What reaches the sampler of a prior: its units, and how x0_hat is clipped."""

import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import tiny

from mgdm_jax import factory
from mgdm_jax.networks import unet
from mgdm_jax.types import Denoised, StepInfo


def test_the_sampler_starts_in_the_prior_s_units(key):
    """x_T has mean √ᾱ_T · centre and deviation noise_scale."""
    _, problem, _ = cases.gaussian_case("real")
    prior = factory.Prior(
        denoise=lambda _, x, *__: Denoised(x, x),
        params={},
        alpha_bar=np.array([0.6]),
        image_shape=(4, 4),
        noise_scale=0.5,
        centre=0.25,
    )

    def stay(key, estimate, problem, guidance):
        info = StepInfo(*[estimate.noise_scale] * 3, x0_bar=estimate.x_t)
        return estimate.x_t, info

    sampler = factory.make_sampler(prior, stay, prior.grid(1))
    got, info = sampler(key, {}, problem, cases.guidance())
    z = jax.random.normal(jax.random.split(key)[0], (4, 4))
    np.testing.assert_allclose(got, 0.5 * z + 0.6**0.5 * 0.25, rtol=1e-5)
    assert info.data_residual[0] == 0.5


def test_the_clip_s_options_arrive(key):
    spec = tiny.spec(16)
    weights = unet.initialise(unet.UNetConfig.from_fields(spec.network), key)
    x = jnp.full((16, 16), 10.0)

    def slope(**options):
        prior = factory.build_prior(spec, weights, **options)
        times = jnp.int32(10), jnp.float32(0.9)

        @jax.jit
        def value_and_slope(x):
            value, pullback = jax.vjp(
                lambda x: prior.denoise(weights, x, *times).x0_hat, x
            )
            return value.max(), jnp.abs(pullback(jnp.ones_like(x))[0]).max()

        return tuple(float(number) for number in value_and_slope(x))

    assert slope() == (1.0, 0.0)
    assert slope(clip_gradient="straight")[1] > 0.1
    assert slope(clip_denoised=False)[0] > 2
