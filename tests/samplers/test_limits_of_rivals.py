"""Limits in which the methods beside MGDM must become another, exactly."""

import dataclasses

import dense
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import pytest

from mgdm_jax.guidance import proximal
from mgdm_jax.operators import linalg
from mgdm_jax.samplers import ddim, ddnm, ddrm, dps, mgdm
from mgdm_jax.types import Problem


def test_ddnm_with_cg_meets_the_exact_one(key):
    numbers = cases.guidance()
    step = ddnm.make_step(projection=proximal.conjugate_gradient(60, 1e-7))
    got, want = cases.both(key, "complex", step, numbers, "ddnm", numbers)
    np.testing.assert_allclose(got, want, atol=1e-4)


@pytest.mark.parametrize(("operator_name", "atol"), [("real", 5e-6), ("complex", 5e-6)])
def test_noiseless_dds_run_to_convergence_is_ddnm(operator_name, atol, key):
    numbers = cases.guidance(lam=0.0)
    got, want = cases.both(key, operator_name, "dds", numbers, "ddnm", numbers)
    np.testing.assert_allclose(got, want, atol=atol)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
@pytest.mark.parametrize(("name", "eta"), [("ddnm_plus", 0.7), ("ddrm", 1.0)])
def test_noiseless_spectral_methods_are_ddnm(name, eta, operator_name, key):
    """DDRM draws what it measures anew, as DDNM does everything at η = 1."""
    numbers = cases.guidance(eta=eta)
    got, want = cases.both(key, operator_name, name, numbers, "ddnm", numbers)
    np.testing.assert_allclose(got, want, atol=1e-4)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_noisy_ddnm_plus_is_ddrm_of_full_trust(operator_name, key):
    prior, problem, _ = cases.gaussian_case(operator_name)
    noisy = problem._replace(noise_std=jnp.float32(0.3))
    numbers = cases.guidance()
    got, _ = cases.step_at(key, "ddnm_plus", noisy, prior, numbers)
    want, _ = cases.step_at(key, "ddrm", noisy, prior, numbers)
    np.testing.assert_allclose(got, want, atol=1e-6)
    less, _ = cases.step_at(key, ddrm.make_step(eta_b=0.8), noisy, prior, numbers)
    assert jnp.abs(less - want).max() > 1e-3


UNGUIDED = {
    "ddnm": ("ddnm", "ddnm_plus", "ddrm", "dds", "diffpir", "mgdm"),
    "ddim": ("dps", "pigdm", "mcg"),
}


@pytest.mark.parametrize(
    ("noise", "name"), [(noise, name) for noise in UNGUIDED for name in UNGUIDED[noise]]
)
def test_where_nothing_is_measured_a_method_is_ddim(noise, name, key):
    """MCG without fresh noise, whose key it splits."""
    prior, problem, _ = cases.gaussian_case("complex")
    blind = dataclasses.replace(
        problem.operator, mask=jnp.zeros_like(problem.operator.mask)
    )
    problem = Problem(blind, jnp.zeros_like(problem.measurement), jnp.float32(0.2))
    numbers = cases.guidance(eta=0.0) if name == "mcg" else cases.guidance()
    step = ddim.make_step(noise)
    got, want = (
        cases.sample(key, row, prior, problem, numbers)[0] for row in (name, step)
    )
    np.testing.assert_allclose(got, want, atol=1e-4)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_mcg_ends_with_dps_projected_onto_the_data(operator_name, key):
    """At the last step nothing is diffused: x + A†(y - A x) for x of DPS."""
    prior, problem, model = cases.gaussian_case(operator_name)
    numbers = cases.guidance()
    got, _ = cases.step_at(key, "mcg", problem, prior, numbers, index=-1)
    x, _ = cases.step_at(key, "dps", problem, prior, numbers, index=-1)
    x = np.float64(x).ravel()
    want = x + dense.pinv(model.matrix) @ (model.y - model.matrix @ x)
    np.testing.assert_allclose(np.ravel(got), want, atol=1e-4)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_the_un_squared_norm_of_dps_is_a_shorter_step(operator_name, key):
    """∇‖r‖ = ∇‖r‖² / (2 ‖r‖)."""
    prior, problem, _ = cases.gaussian_case(operator_name)
    unsquared = dps.make_step(residual="norm")
    got, estimate = cases.step_at(
        key, unsquared, problem, prior, cases.guidance(zeta=0.3)
    )
    misfit = problem.measurement - problem.operator.forward(estimate.x0_hat)
    shorter = cases.guidance(zeta=float(0.3 / (2 * linalg.norm(misfit))))
    want, _ = cases.step_at(key, "dps", problem, prior, shorter)
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_without_a_merge_scoremed_and_score_mri_are_one(key):
    """At λ = 0 they differ in nothing but the last merge, which has no noise.

    Rounding is that of σ = 157 times an image.
    """
    numbers = cases.guidance(zeta=0.2, lam=0.0)
    got, want = cases.both(key, "complex", "score_med", numbers, "score_mri", numbers)
    np.testing.assert_allclose(got, want, atol=2e-4)


def test_langevin_forgets_a_measurement_that_is_all_noise(key):
    prior, problem, _ = cases.gaussian_case("real")
    numbers = cases.guidance(zeta=0.1)

    def run(problem):
        return cases.sample(key, "csgm_langevin", prior, problem, numbers)[0]

    noisy = problem._replace(noise_std=jnp.float32(1e6))
    other = noisy._replace(measurement=-problem.measurement)
    np.testing.assert_allclose(run(noisy), run(other), atol=1e-5)
    assert jnp.abs(run(problem) - run(noisy)).max() > 1e-2


@pytest.mark.parametrize("name", ["dps", "pigdm"])
def test_without_its_step_a_guided_method_is_ddim(name, key):
    """DPS recomputes ε from x0_hat, which without a clip is the predicted one."""
    numbers = cases.guidance(zeta=0.0)
    got, want = cases.both(key, "complex", name, numbers, "ddim", numbers)
    np.testing.assert_allclose(got, want, atol=1e-4)


@pytest.mark.parametrize("operator_name", ["real", "complex"])
def test_pigdm_meets_its_noiseless_form_as_the_noise_falls(operator_name, key):
    prior, problem, _ = cases.gaussian_case(operator_name)
    numbers = cases.guidance()
    want, _ = cases.step_at(key, "pigdm", problem, prior, numbers)
    errors = []
    for sigma in (0.1, 0.01):
        noisy = problem._replace(noise_std=jnp.float32(sigma))
        got, _ = cases.step_at(key, "pigdm", noisy, prior, numbers)
        errors.append(float(jnp.abs(got - want).max()))
    assert errors[1] < 0.02 * errors[0] and errors[0] > 1e-4


def test_pigdm_of_orthonormal_rows_weighs_the_residual(key):
    """(AAᴴ + σ_y²/r_t²)⁻¹ is the scalar 1/(1 + σ_y²/r_t²), r_t² = 1 - ᾱ_t."""
    prior, problem, _ = cases.gaussian_case("complex")
    numbers, sigma = cases.guidance(), 0.4
    plain, _ = cases.step_at(key, "pigdm", problem, prior, cases.guidance(zeta=0.0))
    quiet, estimate = cases.step_at(key, "pigdm", problem, prior, numbers)
    noisy = problem._replace(noise_std=jnp.float32(sigma))
    got, _ = cases.step_at(key, "pigdm", noisy, prior, numbers)
    share = 1 / (1 + sigma**2 / (1 - estimate.alpha_bar))
    np.testing.assert_allclose(got - plain, share * (quiet - plain), atol=1e-5)


def test_pigdm_solves_by_conjugate_gradients_where_no_spectrum_is_known(key):
    prior, problem, _ = cases.gaussian_case("multi_coil")
    problem = problem._replace(noise_std=jnp.float32(0.3))
    bare = dataclasses.replace(problem.operator, row_vectors=None, row_values=None)
    assert problem.operator.has_spectrum and not bare.has_spectrum
    want, _ = cases.step_at(key, "pigdm", problem, prior, cases.guidance())
    got, _ = cases.step_at(
        key, "pigdm", problem._replace(operator=bare), prior, cases.guidance()
    )
    np.testing.assert_allclose(got, want, atol=1e-4)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_diffpir_is_no_ir_but_for_its_weight_and_its_predicted_noise(
    operator_name, key
):
    """λ_t = λ σ_y² ᾱ_t/(1-ᾱ_t), ε from x0_bar: c2 (ε_bar - ε) lies between the two."""
    prior, problem, _ = cases.gaussian_case(operator_name)
    problem = problem._replace(noise_std=jnp.float32(0.2))
    numbers = cases.guidance(lam=5.0)
    got, estimate = cases.step_at(key, "diffpir", problem, prior, numbers)
    a, s = estimate.alpha_bar, estimate.alpha_bar_next
    same = cases.guidance(lam=float(5.0 * 0.2**2 * a / (1 - a)))
    no_ir = mgdm.make_step(
        mgdm.Options(use_inner=False, use_discrepancy=False, lam_follows_noise=False)
    )
    other, _ = cases.step_at(key, no_ir, problem, prior, same)
    x0_bar = proximal.exact(problem, estimate.x0_hat, same.lam)
    eps_bar = (estimate.x_t - jnp.sqrt(a) * x0_bar) / jnp.sqrt(1 - a)
    _, c2 = ddim.coefficients(a, s, numbers.eta, "ddnm")
    np.testing.assert_allclose(
        got, other + c2 * (eps_bar - estimate.eps), rtol=1e-4, atol=1e-5
    )


def test_the_coils_of_these_tests_miss_something():
    """Else every solver is right on them, one step of it as well."""
    _, _, model = cases.gaussian_case("multi_coil")
    values = np.linalg.svd(model.matrix, compute_uv=False)
    assert values.min() < 0.5 * values.max()
