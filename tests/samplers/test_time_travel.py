"""A way back to more noise, around any method's step."""

import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import pytest

from mgdm_jax import analytic, defaults, methods, schedules
from mgdm_jax.samplers import ddnm_plus, loop, time_travel


def step_at(key, alpha_bar, alpha_bar_next, step):
    prior, problem, _ = cases.gaussian_case("real")
    levels = jnp.float32(alpha_bar), jnp.float32(alpha_bar_next)
    times = cases.grid()._replace(alpha_bar=levels[0], alpha_bar_next=levels[1])
    times = times._replace(t=jnp.int32(500))
    x_t = jax.random.normal(jax.random.key(7), problem.operator.image_shape)
    estimate = loop.linearise(analytic.gaussian_denoiser, prior, x_t, times, 2.0)
    return estimate, step(key, estimate, problem, cases.guidance())[0]


@pytest.mark.parametrize("level", [0.3, 0.2])
def test_the_way_back_is_the_noised_estimate(level, key):
    """Mean √ᾱ x0_hat, deviation √(1-ᾱ) times the noise's: no correction is in it."""
    step = time_travel.make_step(ddnm_plus.make_step())
    keys = jax.random.split(key, 4000)
    estimate, _ = step_at(key, 0.3, level, step)
    draws = jax.jit(jax.vmap(lambda k: step_at(k, 0.3, level, step)[1]))(keys)
    deviation = 2.0 * np.sqrt(1 - level)
    want = np.sqrt(level) * estimate.x0_hat
    np.testing.assert_allclose(draws.mean(0), want, atol=5 * deviation / 63)
    np.testing.assert_allclose(draws.std(0), deviation, rtol=0.06)


def test_forwards_it_is_the_step_itself(key):
    plain = ddnm_plus.make_step()
    _, got = step_at(key, 0.3, 0.5, time_travel.make_step(plain))
    _, want = step_at(jax.random.split(key)[0], 0.3, 0.5, plain)
    np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.parametrize("name", ["ddnm_plus", "score_mri", "mgdm"])
def test_methods_travel_as_configured(name, key):
    config = defaults.reconstruction()
    config.method = name
    config.sampler.n_steps, config.sampler.travel_length = 6, 2
    config.sampler.travel_repeat = 2
    prior, problem, _ = cases.gaussian_case("real")
    table = schedules.discrete_vp("linear")
    indices = schedules.time_indices(6)
    grid = schedules.time_grid(table, indices, methods.travel(config))
    image, info = methods.make_process(config)(
        key=key,
        denoise=analytic.gaussian_denoiser,
        params=prior,
        grid=grid,
        problem=problem,
        guidance=cases.guidance(lam=0.0, rho=0.0),
    )
    assert info.finite.all()
    assert methods.nfe(config) == (20 if name == "score_mri" else 10)
    misfit = problem.operator.forward(image) - problem.measurement
    assert jnp.abs(misfit).max() < 1e-4


def test_red_diff_refuses_to_travel():
    config = defaults.reconstruction()
    config.method, config.sampler.travel_repeat = "red_diff", 2
    with pytest.raises(ValueError, match="red_diff is no reverse process"):
        methods.make_process(config)
    config.sampler.travel_repeat, config.sampler.start = 1, 0.3
    with pytest.raises(ValueError, match="red_diff starts from"):
        methods.make_process(config)
