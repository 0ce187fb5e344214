"""Gradients through the whole sampler with respect to ζ, λ, ρ, η."""

import functools

import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import pytest

from mgdm_jax import analytic
from mgdm_jax.guidance import proximal
from mgdm_jax.samplers import loop, mgdm

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
