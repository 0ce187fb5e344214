"""Tweedie's identity in every unit, clipping, invariance under a change of units."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import operator_cases
import pytest
from helpers import normal

from mgdm_jax import denoisers, schedules
from mgdm_jax.samplers import dps, loop, mgdm
from mgdm_jax.types import Guidance, Problem

UNITS = [
    denoisers.Units(2.0, -1.0),
    denoisers.Units(1.0, 0.0, -1.0, 1.0),
    denoisers.Units(3.0, 0.5),
]
LEVEL = 0.6
T = jnp.int32(400)


def network(params, x, t):
    """A toy that mixes neighbours and times; params is one weight."""
    mixed = x + 0.5 * jnp.roll(x, 1, 1) - 0.3 * jnp.roll(x, 1, 2)
    return jnp.tanh(params * mixed + 1e-3 * t.astype(x.dtype)[:, None, None, None])


WEIGHT = jnp.float32(0.7)


def denoise(units, x_t, apply=network, **options):
    fn = denoisers.network_denoiser(apply, units, **options)
    return fn(WEIGHT, x_t, T, jnp.float32(LEVEL))


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
@pytest.mark.parametrize("units", UNITS)
def test_estimate_and_noise_make_up_the_noisy_image(units, prediction, key):
    x_t = normal(key, (4, 5))
    got = denoise(units, x_t, prediction=prediction, clip_denoised=False)
    again = np.sqrt(LEVEL) * got.x0_hat + np.sqrt(1 - LEVEL) * got.eps
    np.testing.assert_allclose(again, x_t, atol=2e-6)


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
@pytest.mark.parametrize("units", UNITS)
def test_formula_in_network_units(units, prediction, key):
    """x_net = scale · x + offset holds of the clean image, not of the noisy one."""
    x_t = normal(key, (4, 5))
    x_net = units.scale * np.float64(x_t) + np.sqrt(LEVEL) * units.offset
    output = np.float64(
        network(WEIGHT, jnp.float32(x_net)[None, ..., None], T[None])[0, ..., 0]
    )
    a, s = np.sqrt(LEVEL), np.sqrt(1 - LEVEL)
    clean, eps = {
        "eps": ((x_net - s * output) / a, output),
        "v": (a * x_net - s * output, a * output + s * x_net),
        "x0": (output, (x_net - a * output) / s),
    }[prediction]
    got = denoise(units, x_t, prediction=prediction)
    want = np.clip((clean - units.offset) / units.scale, units.low, units.high)
    np.testing.assert_allclose(got.x0_hat, want, atol=2e-6)
    np.testing.assert_allclose(got.eps, eps * units.noise_scale, atol=2e-6)
    assert got.x0_hat.dtype == got.eps.dtype == jnp.float32


def test_learned_variance_is_dropped(key):
    def with_variance(params, x, t):
        return jnp.concatenate([network(params, x, t), 1e9 * jnp.ones_like(x)], -1)

    x_t = normal(key, (4, 5, 2))
    got = denoise(UNITS[1], x_t, with_variance)
    want = denoise(UNITS[1], x_t)
    np.testing.assert_array_equal(got.x0_hat, want.x0_hat)
    np.testing.assert_array_equal(got.eps, want.eps)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 2)])
def test_network_sees_one_image_of_one_or_two_channels(shape, key):
    seen = []

    def spy(params, x, t):
        seen.append((x.shape, t.shape))
        return network(params, x, t)

    x_t = normal(key, shape)
    got = denoise(UNITS[1], x_t, spy)
    assert seen == [((1, 4, 5, len(shape) - 1), (1,))]
    assert got.x0_hat.shape == got.eps.shape == shape
    if len(shape) == 3:  # the toy treats channels alike: each is an image of its own
        first = denoise(UNITS[1], x_t[..., 0])
        np.testing.assert_allclose(got.x0_hat[..., 0], first.x0_hat, atol=1e-6)


@pytest.mark.parametrize(
    ("gradient", "slopes"), [("through", [0, 1, 0]), ("straight", [1, 1, 1])]
)
def test_clip_and_its_gradients(gradient, slopes):
    x = jnp.array([-2.0, 0.3, 5.0])
    value, pullback = jax.vjp(lambda v: denoisers.clip(v, 0.0, 1.0, gradient), x)
    np.testing.assert_allclose(value, [0.0, 0.3, 1.0], atol=1e-6)
    np.testing.assert_array_equal(pullback(jnp.ones(3))[0], slopes)


def test_clipping_leaves_the_noise_alone(key):
    x_t = 10.0 * normal(key, (4, 5))
    clipped = denoise(UNITS[0], x_t)
    free = denoise(UNITS[0], x_t, clip_denoised=False)
    assert clipped.x0_hat.min() == 0 and clipped.x0_hat.max() == 1
    np.testing.assert_array_equal(clipped.eps, free.eps)


def test_unknown_choices_are_named(key):
    x_t = normal(key, (2, 2))
    with pytest.raises(ValueError, match="prediction must be eps, v or x0, got 'z'"):
        denoise(UNITS[0], x_t, prediction="z")
    with pytest.raises(ValueError, match="must be through or straight, got 'soft'"):
        denoise(UNITS[0], x_t, clip_gradient="soft")


# One network, seen as a prior on images in [0, 1] and as one on u = 2x - 1 in [-1, 1].
# There the residual and u_t are twice as large, so ∇_{u_t}‖r‖² is twice ∇_{x_t}‖r‖², as
# is the image: ζ and ρ of squared norms keep their values, those of un-squared norms
# double, and λ is the same for both.
STEPS = {
    "mgdm": (mgdm.make_step(), 1.0),
    "mgdm_norm": (
        mgdm.make_step(mgdm.Options(residual="norm", discrepancy_norm="norm")),
        2.0,
    ),
    "mgdm_second_order": (mgdm.make_step(mgdm.Options(through_inner=True)), 1.0),
    "dps": (dps.make_step(), 2.0),
}


def rival_settings(factor, key):
    """Return (units, problem, guidance) of both views; `factor` multiplies ζ and ρ."""
    operator = operator_cases.real_fourier((6, 8))
    truth = jnp.clip(0.5 + 0.3 * normal(key, (6, 8)), 0.0, 1.0)
    sides = []
    for units, image, k in [
        (UNITS[0], truth, 1.0),
        (UNITS[1], 2.0 * truth - 1.0, factor),
    ]:
        problem = Problem(operator, operator.forward(image), jnp.float32(0))
        numbers = Guidance.of(zeta=0.4 * k, lam=0.05, rho=0.2 * k, eta=0.85)
        sides.append((units, problem, numbers))
    return sides


@functools.partial(jax.jit, static_argnums=(0, 1))
def one_step(step, units, key, x_t, row, problem, guidance):
    fn = denoisers.network_denoiser(network, units)
    estimate = loop.linearise(fn, WEIGHT, x_t, row, units.noise_scale)
    return step(key, estimate, problem, guidance)[0]


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_the_same_in_either_unit(name, key):
    step, factor = STEPS[name]
    table = schedules.discrete_vp("linear")
    grid = schedules.time_grid(table, np.array([700, 300, 0]))
    x_t = normal(jax.random.fold_in(key, 1), (6, 8))
    zero_one, plus_minus = rival_settings(factor, key)
    for i in range(3):
        row = jax.tree.map(lambda v, i=i: v[i], grid)
        x_s = one_step(step, zero_one[0], key, x_t, row, *zero_one[1:])
        u_t = 2.0 * x_t - jnp.sqrt(row.alpha_bar)
        u_s = one_step(step, plus_minus[0], key, u_t, row, *plus_minus[1:])
        want = 2.0 * x_s - jnp.sqrt(row.alpha_bar_next)
        np.testing.assert_allclose(u_s, want, atol=5e-5)


def test_a_reconstruction_is_the_same_in_either_unit(key):
    step, factor = STEPS["mgdm"]
    table = schedules.discrete_vp("linear")
    grid = schedules.time_grid(table, schedules.time_indices(12))

    @functools.partial(jax.jit, static_argnums=0)
    def sample(units, problem, guidance):
        fn = denoisers.network_denoiser(network, units, prediction="v")
        scales = {"noise_scale": units.noise_scale, "centre": units.centre}
        args = (key, fn, WEIGHT, step, grid, problem, guidance)
        return loop.sample(*args, **scales)[0]

    zero_one, plus_minus = (sample(*side) for side in rival_settings(factor, key))
    np.testing.assert_allclose(plus_minus, 2.0 * zero_one - 1.0, atol=1e-5)
