"""Gradients through the whole sampler with respect to ζ, λ, ρ, η."""

import functools

import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import pytest

from mgdm_jax import analytic, schedules
from mgdm_jax.guidance import proximal
from mgdm_jax.samplers import ddim, loop, mgdm, time_travel

NUMBERS = cases.guidance()
SOLVERS = {
    "spectral": proximal.spectral,
    "cg": proximal.conjugate_gradient(60, 1e-7),
}

SHARES = np.linspace(-0.1, 0.1, 41)
"""Relative steps of the finite differences."""


def loss_of(operator_name, step, n_steps=8, *, rematerialise):
    """Return guidance -> squared distance of a sample to the mean."""
    prior, problem, _ = cases.gaussian_case(operator_name)

    def loss(guidance):
        image, _ = loop.sample(
            jax.random.key(0),
            analytic.gaussian_denoiser,
            prior,
            step,
            cases.grid(n_steps),
            problem,
            guidance,
            rematerialise=rematerialise,
        )
        return jnp.sum((image - prior.mean) ** 2)

    return loss


@pytest.mark.parametrize(
    ("operator_name", "proximal_fn", "through_inner"),
    [(name, "spectral", name in ("complex", "ct")) for name in cases.OPERATORS]
    + [("real", "spectral", True), ("multi_coil", "cg", False), ("ct", "cg", True)],
)
def test_they_are_those_of_finite_differences(
    operator_name, proximal_fn, through_inner
):
    options = mgdm.Options(
        proximal_fn=SOLVERS[proximal_fn], through_inner=through_inner
    )
    loss = loss_of(operator_name, mgdm.make_step(options), rematerialise=True)
    got, evaluate = jax.jit(jax.grad(loss))(NUMBERS), jax.jit(jax.vmap(loss))
    for name in NUMBERS._fields:
        value = getattr(NUMBERS, name)
        around = jax.tree.map(lambda v: jnp.full(SHARES.shape, v), NUMBERS)
        losses = evaluate(around._replace(**{name: value * (1 + SHARES)}))
        # Of one difference there would be float32's rounding; of a fit it is known.
        fit, cov = np.polyfit(SHARES, np.float64(losses), 4, cov=True)
        noise = np.sqrt(cov[-2, -2]) / value
        assert noise < 2e-3
        np.testing.assert_allclose(
            getattr(got, name), fit[-2] / value, rtol=1e-2, atol=5 * noise
        )


def test_where_all_noise_is_fresh_none_is_predicted():
    """At η = 1, the choice of most rows: rounding would make a steep slope of √0."""
    times = cases.grid(100)

    @jax.jit
    @jax.vmap
    def at_one(*levels):
        def shares(eta):
            return ddim.coefficients(*levels, eta, "ddnm")

        return jax.jvp(shares, (jnp.float32(1),), (jnp.float32(1),))

    shares, slopes = at_one(times.alpha_bar, times.alpha_bar_next)
    level = np.sqrt(1 - times.alpha_bar_next)
    for fresh, predicted in (shares, slopes):
        np.testing.assert_allclose(fresh, level, rtol=1e-6)
        np.testing.assert_array_equal(predicted, 0)


def test_steps_computed_again_change_nothing_but_memory():
    step, gradients, taken = mgdm.make_step(), [], []
    for again in (False, True):
        make = functools.partial(loss_of, "complex", step, rematerialise=again)
        gradients.append(jax.jit(jax.grad(make()))(NUMBERS))
        sizes = []
        for n_steps in (50, 100):
            gradient = jax.jit(jax.grad(make(n_steps=n_steps)))
            program = gradient.lower(NUMBERS).compile()
            sizes.append(program.memory_analysis().temp_size_in_bytes)
        taken.append(sizes[1] - sizes[0])
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5), *gradients)
    assert 0 <= taken[1] < taken[0] / 3


@pytest.mark.parametrize("name", ["score_med", "score_mri", "csgm_langevin"])
def test_without_a_correction_they_are_finite(name):
    """At ζ = 0 a step has no length, whose root would have no slope."""
    step = cases.METHODS[name][0]
    loss = loss_of("real", step, rematerialise=False)
    got = jax.jit(jax.grad(loss))(NUMBERS._replace(zeta=jnp.float32(0)))
    assert all(np.isfinite(value) for value in got)


@pytest.mark.parametrize("name", ["score_med", "ddim"])
def test_travelling_back_in_time_they_are_finite(name):
    """There σ² - σ'² is negative, and the step is not taken."""
    plain = ddim.make_step("ddim") if name == "ddim" else cases.METHODS[name][0]
    prior, problem, _ = cases.gaussian_case("real")
    table = schedules.discrete_vp("linear")
    travelling = schedules.time_grid(table, schedules.time_indices(6), (2, 2))

    def loss(guidance):
        image, info = loop.sample(
            jax.random.key(0),
            analytic.gaussian_denoiser,
            prior,
            time_travel.make_step(plain),
            travelling,
            problem,
            guidance,
        )
        return jnp.sum(image**2), info.data_residual

    got, residual = jax.jit(jax.grad(loss, has_aux=True))(NUMBERS)
    assert all(np.isfinite(value) for value in got)
    assert np.isfinite(residual).all()
