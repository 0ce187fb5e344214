"""Limits in which one method must become another, exactly."""

import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import pytest

from mgdm_jax import analytic
from mgdm_jax.guidance import proximal
from mgdm_jax.samplers import ddim, ddnm, loop, mgdm

HUGE = 1e12


def both(key, operator_name, first, first_numbers, second, second_numbers):
    prior, problem, _ = cases.gaussian_case(operator_name)
    run = jax.jit(
        lambda g, h: (
            cases.run(key, first, prior, problem, g)[0],
            cases.run(key, second, prior, problem, h)[0],
        )
    )
    return run(first_numbers, second_numbers)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_mgdm_without_gradients_at_lam_zero_is_ddnm(operator_name, key):
    numbers = cases.guidance(zeta=0.0, lam=0.0, rho=0.0)
    got, want = both(key, operator_name, "mgdm", numbers, "ddnm", numbers)
    np.testing.assert_allclose(got, want, atol=5e-6)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_no_ir_at_lam_zero_is_ddnm(operator_name, key):
    numbers = cases.guidance(lam=0.0)
    got, want = both(key, operator_name, "mgdm_no_ir", numbers, "ddnm", numbers)
    np.testing.assert_allclose(got, want, atol=5e-6)


@pytest.mark.parametrize("operator_name", ["real", "complex"])
def test_towards_ddnm_as_lam_falls(operator_name, key):
    """On masks, where s² is 0, 1/2 or 1, the distance falls in proportion to λ."""
    distances = []
    for lam in (1e-2, 1e-3):
        numbers = cases.guidance(lam=lam)
        got, want = both(key, operator_name, "mgdm_no_ir", numbers, "ddnm", numbers)
        distances.append(float(jnp.abs(got - want).max()))
    assert distances[0] == pytest.approx(10 * distances[1], rel=0.1)
    assert distances[0] > 1e-3


@pytest.mark.parametrize("noise", ["ddnm", "ddim"])
def test_the_noise_convention_is_an_option(noise, key):
    numbers = cases.guidance(zeta=0.0, lam=HUGE, rho=0.0)
    first, second = mgdm.make_step(mgdm.Options(noise=noise)), ddim.make_step(noise)
    got, want = both(key, "real", first, numbers, second, numbers)
    np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_infinite_lam_leaves_ddim_with_the_dps_gradient(operator_name, key):
    numbers = cases.guidance(lam=HUGE, rho=0.0)
    got, want = both(key, operator_name, "mgdm", numbers, "mgdm_no_pr", numbers)
    np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_infinite_lam_without_gradients_is_unconditional(operator_name, key):
    numbers = cases.guidance(zeta=0.0, lam=HUGE, rho=0.0)
    step = ddim.make_step("ddnm")
    got, want = both(key, operator_name, "mgdm", numbers, step, numbers)
    np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_without_gradients_it_is_noisy_dds_run_to_convergence(operator_name, key):
    """DDS solves (I + γ AᴴA) x = x0_hat + γ Aᴴy; γ = 1/λ."""
    numbers = cases.guidance(zeta=0.0, rho=0.0)

    def dds(problem, x0_hat, lam):
        op, gamma = problem.operator, 1.0 / lam
        n = x0_hat.size
        columns = jax.vmap(lambda e: op.adjoint(op.forward(e)).reshape(-1))(
            jnp.eye(n).reshape(n, *x0_hat.shape)
        )
        right = x0_hat + gamma * op.adjoint(problem.measurement)
        solved = jnp.linalg.solve(jnp.eye(n) + gamma * columns.T, right.reshape(-1))
        return solved.reshape(x0_hat.shape)

    step = mgdm.make_step(
        mgdm.Options(proximal_fn=dds, use_inner=False, use_discrepancy=False)
    )
    got, want = both(key, operator_name, "mgdm", numbers, step, numbers)
    np.testing.assert_allclose(got, want, atol=2e-4)


@pytest.mark.parametrize("name", cases.DETERMINISTIC)
def test_eta_zero_is_deterministic_given_the_start(name, key):
    """The step's key changes nothing at η = 0."""
    prior, problem, _ = cases.gaussian_case("real")
    row = jax.tree.map(lambda v: v[3], cases.grid())
    x_t = jax.random.normal(key, problem.operator.image_shape)
    estimate = loop.linearise(analytic.gaussian_denoiser, prior, x_t, row, 1.0)
    step = cases.METHODS[name][0]
    numbers = cases.guidance(eta=0.0)
    first, _ = step(jax.random.key(1), estimate, problem, numbers)
    second, _ = step(jax.random.key(2), estimate, problem, numbers)
    np.testing.assert_array_equal(first, second)


def test_ddnm_with_cg_meets_the_exact_one(key):
    numbers = cases.guidance()
    step = ddnm.make_step(projection=proximal.conjugate_gradient(60, 1e-7))
    got, want = both(key, "complex", step, numbers, "ddnm", numbers)
    np.testing.assert_allclose(got, want, atol=1e-4)


@pytest.mark.parametrize(("operator_name", "atol"), [("real", 5e-6), ("complex", 5e-6)])
def test_noiseless_dds_run_to_convergence_is_ddnm(operator_name, atol, key):
    numbers = cases.guidance(lam=0.0)
    got, want = both(key, operator_name, "dds", numbers, "ddnm", numbers)
    np.testing.assert_allclose(got, want, atol=atol)


@pytest.mark.parametrize("name", ["dps", "pigdm"])
def test_without_its_step_a_guided_method_is_ddim(name, key):
    """DPS recomputes ε from x0_hat, which without a clip is the predicted one."""
    numbers = cases.guidance(zeta=0.0)
    got, want = both(key, "complex", name, numbers, "ddim", numbers)
    np.testing.assert_allclose(got, want, atol=1e-4)


def step_at(key, name, problem, prior, numbers, index=3):
    """Return x_s of one step of a method, from the same x_t for all."""
    times = jax.tree.map(lambda v: v[index], cases.grid())
    x_t = jax.random.normal(key, problem.operator.image_shape)
    estimate = loop.linearise(analytic.gaussian_denoiser, prior, x_t, times, 1.0)
    step = cases.METHODS[name][0] if isinstance(name, str) else name
    x_s, _ = jax.jit(lambda: step(key, estimate, problem, numbers))()
    return x_s, estimate


@pytest.mark.parametrize("operator_name", ["real", "complex"])
def test_pigdm_meets_its_noiseless_form_as_the_noise_falls(operator_name, key):
    prior, problem, _ = cases.gaussian_case(operator_name)
    numbers = cases.guidance()
    want, _ = step_at(key, "pigdm", problem, prior, numbers)
    errors = []
    for sigma in (0.1, 0.01):
        noisy = problem._replace(noise_std=jnp.float32(sigma))
        got, _ = step_at(key, "pigdm", noisy, prior, numbers)
        errors.append(float(jnp.abs(got - want).max()))
    assert errors[1] < 0.02 * errors[0] and errors[0] > 1e-4


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_diffpir_is_no_ir_but_for_its_weight_and_its_predicted_noise(
    operator_name, key
):
    """λ_t = λ σ_y² ᾱ_t/(1-ᾱ_t), ε from x0_bar: c2 (ε_bar - ε) lies between the two."""
    prior, problem, _ = cases.gaussian_case(operator_name)
    problem = problem._replace(noise_std=jnp.float32(0.2))
    numbers = cases.guidance(lam=5.0)
    got, estimate = step_at(key, "diffpir", problem, prior, numbers)
    a, s = estimate.alpha_bar, estimate.alpha_bar_next
    same = cases.guidance(lam=float(5.0 * 0.2**2 * a / (1 - a)))
    no_ir = mgdm.make_step(
        mgdm.Options(use_inner=False, use_discrepancy=False, lam_follows_noise=False)
    )
    other, _ = step_at(key, no_ir, problem, prior, same)
    x0_bar = proximal.exact(problem, estimate.x0_hat, same.lam)
    eps_bar = (estimate.x_t - jnp.sqrt(a) * x0_bar) / jnp.sqrt(1 - a)
    _, c2 = ddim.coefficients(a, s, numbers.eta, "ddnm")
    np.testing.assert_allclose(
        got, other + c2 * (eps_bar - estimate.eps), rtol=1e-4, atol=1e-5
    )
