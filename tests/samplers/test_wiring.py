"""What a step hands on: the clipped estimate's noise, options, weights, units."""

import dataclasses

import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import pytest

from mgdm_jax import analytic
from mgdm_jax.guidance import discrepancy, inner, proximal
from mgdm_jax.samplers import loop, mgdm
from mgdm_jax.types import Problem

IMPLIED = ("dps", "dps_norm", "mcg", "mcg_norm", "diffpir")
"""Rows whose noise is that of the clipped x0; of the others it is the network's."""

WITHOUT_NOISE = ("csgm_langevin", "score_med", "score_mri")
"""Rows that go on from x_t itself."""


@pytest.mark.parametrize("name", [m for m in cases.METHODS if m not in WITHOUT_NOISE])
def test_where_x0_is_clipped_the_noise_is_the_network_s(name, key):
    """Blind and without fresh noise a step is √ᾱ_s x0 + √(1-ᾱ_s) ε."""
    prior, problem, _ = cases.gaussian_case("complex")
    mask = jnp.zeros_like(problem.operator.mask)
    blind = dataclasses.replace(problem.operator, mask=mask)
    problem = Problem(blind, jnp.zeros_like(problem.measurement), jnp.float32(0))
    row = jax.tree.map(lambda v: v[3], cases.grid())
    x_t = jax.random.normal(key, blind.image_shape)

    @jax.jit
    def clipped(*args):
        made = analytic.gaussian_denoiser(*args)
        return made._replace(x0_hat=jnp.clip(made.x0_hat, -0.1, 0.1))

    estimate = loop.linearise(clipped, prior, x_t, row, 1.0)
    a, s = row.alpha_bar, row.alpha_bar_next
    x0, raw = estimate.x0_hat, estimate.eps
    implied = (x_t - jnp.sqrt(a) * x0) / jnp.sqrt(1 - a)
    assert jnp.abs(raw - implied).max() > 0.1
    eps = implied if name in IMPLIED else raw
    step, numbers = cases.METHODS[name][0], cases.guidance(eta=0.0)
    got, _ = jax.jit(lambda: step(key, estimate, problem, numbers))()
    np.testing.assert_allclose(got, jnp.sqrt(s) * x0 + jnp.sqrt(1 - s) * eps, atol=1e-5)


@pytest.mark.parametrize("through", [False, True])
@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"zeta_scaling": "eq13"},
        {"residual": "norm"},
        {"discrepancy_norm": "norm"},
        {"proximal_fn": proximal.fbp_residual},
    ],
    ids=lambda v: next(iter(v), "default"),
)
def test_line_11_has_the_options_of_lines_8_and_9(chosen, through, key):
    prior, problem, _ = cases.gaussian_case("ct")
    options = mgdm.Options(through_inner=through, **chosen)
    step = mgdm.make_step(options)
    still, numbers = cases.guidance(rho=0.0), cases.guidance(rho=1.0)
    plain, estimate = cases.step_at(key, step, problem, prior, still)
    moved, _ = cases.step_at(key, step, problem, prior, numbers)
    solve, norm = options.proximal_fn, options.discrepancy_norm
    forms = {"residual": options.residual, "scaling": options.zeta_scaling}
    zeta, lam = numbers.zeta, numbers.lam

    @jax.jit
    def gradient():
        if through:
            return discrepancy.gradient_through_inner(
                estimate, problem, zeta, lam, proximal_fn=solve, norm=norm, **forms
            )
        x0_tilde = inner.refine(estimate, problem, zeta, **forms)
        x0_bar = solve(problem, x0_tilde, lam)
        return discrepancy.gradient(
            estimate, problem, x0_tilde, x0_bar, lam, proximal_fn=solve, norm=norm
        )

    want = gradient()
    np.testing.assert_allclose(plain - moved, want, atol=1e-4)
    assert jnp.abs(want).max() > 1e-2


def test_without_line_8_there_is_nothing_to_differentiate_through(key):
    prior, problem, _ = cases.gaussian_case("complex")
    images = []
    for through in (True, False):
        step = mgdm.make_step(mgdm.Options(use_inner=False, through_inner=through))
        images.append(cases.step_at(key, step, problem, prior, cases.guidance())[0])
    np.testing.assert_array_equal(*images)


@pytest.mark.parametrize("name", ["mgdm", "mgdm_no_ir", "ddnm", "diffpir", "dds"])
def test_the_gap_is_of_the_weight_in_use(name, key):
    prior, problem, _ = cases.noisy_case("real", 0.3)
    _, info = cases.sample(key, name, prior, problem, cases.guidance())
    assert info.prox_gap.max() < 1e-4
