"""Limits in which one method must become another, exactly."""

import dense
import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import pytest

from mgdm_jax.samplers import ddim, loop, mgdm

HUGE = 1e12


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_mgdm_without_gradients_at_lam_zero_is_ddnm(operator_name, key):
    numbers = cases.guidance(zeta=0.0, lam=0.0, rho=0.0)
    got, want = cases.both(key, operator_name, "mgdm", numbers, "ddnm", numbers)
    np.testing.assert_allclose(got, want, atol=5e-6)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_no_ir_at_lam_zero_is_ddnm(operator_name, key):
    numbers = cases.guidance(lam=0.0)
    got, want = cases.both(key, operator_name, "mgdm_no_ir", numbers, "ddnm", numbers)
    np.testing.assert_allclose(got, want, atol=5e-6)


ABLATIONS = {
    "mgdm_no_i": {"zeta": 0.0},
    "mgdm_no_r": {"rho": 0.0},
    "mgdm_no_ir": {"zeta": 0.0, "rho": 0.0},
}


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_is_mgdm_at_zero(name, operator_name, key):
    got, want = cases.both(
        key,
        operator_name,
        name,
        cases.guidance(),
        "mgdm",
        cases.guidance(**ABLATIONS[name]),
    )
    np.testing.assert_allclose(got, want, atol=5e-6)


@pytest.mark.parametrize("operator_name", ["real", "complex"])
def test_towards_ddnm_as_lam_falls(operator_name, key):
    """On masks, where s² is 0, 1/2 or 1, the distance falls in proportion to λ."""
    distances = []
    for lam in (1e-2, 1e-3):
        numbers = cases.guidance(lam=lam)
        got, want = cases.both(
            key, operator_name, "mgdm_no_ir", numbers, "ddnm", numbers
        )
        distances.append(float(jnp.abs(got - want).max()))
    assert distances[0] == pytest.approx(10 * distances[1], rel=0.1)
    assert distances[0] > 1e-3


@pytest.mark.parametrize("noise", ["ddnm", "ddim"])
def test_the_noise_convention_is_an_option(noise, key):
    numbers = cases.guidance(zeta=0.0, lam=HUGE, rho=0.0)
    first, second = mgdm.make_step(mgdm.Options(noise=noise)), ddim.make_step(noise)
    got, want = cases.both(key, "real", first, numbers, second, numbers)
    np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_the_discrepancy_at_lam_zero_is_pigdm_s_noiseless_guidance(operator_name, key):
    """-ρ Jᵀ∇D = 2ρ Jᵀ A†r, ΠGDM's at ζ = 2ρ/√(ᾱ_s ᾱ_t); J = Jᵀ is the prior's gain."""
    prior, problem, model = cases.gaussian_case(operator_name)
    still = cases.guidance(zeta=0.0, lam=0.0, rho=0.0)
    _, estimate = cases.step_at(key, "ddim", problem, prior, still)
    a, s = float(estimate.alpha_bar), float(estimate.alpha_bar_next)
    weighed = {
        "mgdm": cases.guidance(zeta=0.0, lam=0.0, rho=0.1),
        "pigdm": cases.guidance(zeta=0.2 / np.sqrt(a * s), lam=0.0, rho=0.0),
    }

    def moves():
        for name, numbers in weighed.items():
            step = cases.METHODS[name][0]
            guided, plain = (step(key, estimate, problem, n) for n in (numbers, still))
            yield guided[0] - plain[0]

    got, pigdm = jax.jit(lambda: tuple(moves()))()
    np.testing.assert_allclose(got, pigdm, atol=1e-5)
    x0_hat, jacobian = model.denoise(np.float64(estimate.x_t).reshape(-1, 1), a)
    misfit = model.y - model.matrix @ x0_hat[:, 0]
    want = 0.2 * jacobian.T @ dense.pinv(model.matrix) @ misfit
    np.testing.assert_allclose(np.ravel(got), want, atol=1e-4)
    assert np.abs(want).max() > 1e-2


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_infinite_lam_leaves_ddim_with_the_dps_gradient(operator_name, key):
    numbers = cases.guidance(lam=HUGE, rho=0.0)
    got, want = cases.both(key, operator_name, "mgdm", numbers, "mgdm_no_pr", numbers)
    np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_infinite_lam_without_gradients_is_unconditional(operator_name, key):
    numbers = cases.guidance(zeta=0.0, lam=HUGE, rho=0.0)
    step = ddim.make_step("ddnm")
    got, want = cases.both(key, operator_name, "mgdm", numbers, step, numbers)
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
    got, want = cases.both(key, operator_name, "mgdm", numbers, step, numbers)
    np.testing.assert_allclose(got, want, atol=2e-4)


@pytest.mark.parametrize("name", cases.DETERMINISTIC)
def test_eta_zero_is_deterministic_given_the_start(name, key):
    """The step's key changes nothing at η = 0."""
    prior, problem, _ = cases.gaussian_case("real")
    row = jax.tree.map(lambda v: v[3], cases.grid())
    x_t = jax.random.normal(key, problem.operator.image_shape)
    estimate = loop.linearise(cases.DENOISE, prior, x_t, row, 1.0)
    step = cases.METHODS[name][0]
    numbers = cases.guidance(eta=0.0)
    once = jax.jit(lambda key: step(key, estimate, problem, numbers)[0])
    first, second = once(jax.random.key(1)), once(jax.random.key(2))
    np.testing.assert_array_equal(first, second)
