"""What holds for every method: jit, vmap, one trace, bits, dtypes, diagnostics."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import pytest

from mgdm_jax import analytic, defaults, methods
from mgdm_jax.guidance import proximal
from mgdm_jax.samplers import dps, loop, mgdm

ROUNDING = {"score_med": 5e-4, "score_mri": 5e-4}
"""Where it exceeds 2e-5: VE states start at 157, whose digits are lost in x0."""


@pytest.mark.parametrize("name", cases.ALL)
def test_jit_equals_eager(name, key):
    prior, problem, _ = cases.noisy_case("real", 0.3)
    args = (key, name, prior, problem, cases.guidance())
    got, info = cases.sample(*args)
    with jax.disable_jit():
        want, want_info = cases.run(*args)
    np.testing.assert_allclose(got, want, atol=ROUNDING.get(name, 2e-5))
    assert got.dtype == info.data_residual.dtype == info.prox_gap.dtype == jnp.float32
    assert got.shape == problem.operator.image_shape
    assert info.data_residual.shape == want_info.data_residual.shape == (8,)


@pytest.mark.parametrize("name", cases.ALL)
def test_vmap_over_problems_and_numbers_equals_a_loop(name, key):
    """And what lies beside an image in its batch does not touch it, were it NaN."""
    prior, problem, _ = cases.noisy_case("real", 0.3)
    keys = jax.random.split(key, 2)
    ys = jnp.stack([problem.measurement, 0.5 * problem.measurement])
    numbers = [cases.guidance(), cases.guidance(zeta=0.1, lam=0.5, rho=0.0, eta=1.0)]
    stacked = jax.tree.map(lambda *v: jnp.stack(v), *numbers)
    problems = problem._replace(measurement=ys)
    axes = problem._replace(operator=None, measurement=0, noise_std=None)
    over_problems = jax.vmap(cases.run, in_axes=(0, None, None, axes, None))
    table = jax.vmap(over_problems, in_axes=(None, None, None, None, 0))
    both = jax.jit(table, static_argnums=1)
    got, _ = both(keys, name, prior, problems, stacked)
    broken = problems._replace(measurement=ys.at[1].set(jnp.nan))
    beside, _ = both(keys, name, prior, broken, stacked)
    np.testing.assert_array_equal(beside[:, 0], got[:, 0])
    for i, number in enumerate(numbers):
        for j in range(2):
            single = problem._replace(measurement=ys[j])
            want, _ = cases.sample(keys[j], name, prior, single, number)
            np.testing.assert_allclose(got[i, j], want, atol=ROUNDING.get(name, 2e-5))


@pytest.mark.parametrize("name", cases.ALL)
def test_traced_once_and_same_bits_for_the_same_key(name, key):
    prior, problem, _ = cases.noisy_case("real", 0.3)
    traces = []

    @jax.jit
    def sample(*args):
        traces.append(1)
        return cases.run(args[0], name, *args[1:])

    other = dataclasses.replace(
        problem.operator, mask=jnp.roll(problem.operator.mask, 1, 1)
    )
    first, _ = sample(key, prior, problem, cases.guidance())
    again, _ = sample(key, prior, problem, cases.guidance())
    np.testing.assert_array_equal(first, again)
    sample(key, prior, problem._replace(operator=other), cases.guidance())
    sample(jax.random.key(5), prior, problem, cases.guidance(0.0, 0.0, 0.0, 0.0))
    assert len(traces) == 1


@pytest.mark.parametrize("name", cases.ALL)
def test_units_do_not_matter(name, key):
    """Half the prior, the data and their noise make half the image."""
    prior, problem, _ = cases.noisy_case("real", 0.3)
    smaller = problem._replace(
        measurement=0.5 * problem.measurement, noise_std=0.5 * problem.noise_std
    )
    numbers = cases.guidance()
    factor = 0.5 if name in cases.LENGTHS else 1.0
    shorter = numbers._replace(zeta=factor * numbers.zeta)
    halved = jax.jit(functools.partial(cases.run, method=name, unit=0.5))
    got, _ = halved(key, prior=prior, problem=smaller, numbers=shorter)
    want, _ = cases.sample(key, name, prior, problem, numbers)
    np.testing.assert_allclose(2.0 * got, want, atol=ROUNDING.get(name, 1e-4))


def test_diagnostics_say_what_they_say(key):
    prior, problem, _ = cases.gaussian_case("ct")
    numbers = cases.guidance()
    image, info = cases.sample(key, "mgdm_no_r", prior, problem, numbers)
    misfit = problem.measurement - problem.operator.forward(image)
    want = jnp.linalg.norm(misfit) / jnp.linalg.norm(problem.measurement)
    np.testing.assert_allclose(info.data_residual[-1], want, rtol=1e-3)
    assert info.prox_gap.max() < 1e-4
    assert info.finite.all()


def test_divergence_is_reported(key):
    prior, problem, _ = cases.noisy_case("real", 0.3)
    numbers = cases.guidance(zeta=1e30)
    _, info = cases.sample(key, "mgdm_no_pr", prior, problem, numbers)
    assert not info.finite[-1]


@pytest.mark.parametrize("name", ["ddim", "mgdm", "score_med", *cases.PROCESSES])
def test_keeping_estimates_changes_nothing_but_rounding(name, key):
    prior, problem, _ = cases.noisy_case("real", 0.3)
    arguments = {
        "denoise": analytic.gaussian_denoiser,
        "grid": cases.grid(8),
        "problem": problem,
        "guidance": cases.guidance(),
    }

    def run(n_kept):
        sample = functools.partial(cases.process(name), **arguments, n_kept=n_kept)
        return jax.jit(lambda k: sample(key=k, params=prior))(key)

    want, plain = run(0)
    image, info = run(3)
    assert plain.x0_hat is None
    np.testing.assert_allclose(image, want, rtol=1e-5, atol=1e-6)
    residuals = info.data_residual, plain.data_residual
    np.testing.assert_allclose(*residuals, rtol=1e-5, atol=1e-6)
    every = run(8)[1].x0_hat
    np.testing.assert_allclose(info.x0_hat, every[np.array([0, 4, 7])], atol=1e-6)


def test_what_is_kept_is_the_estimate_of_that_step(key):
    """DDIM without noise ends at its last estimate, and its first is of x_T alone."""
    prior, problem, _ = cases.noisy_case("real", 0.3)
    denoise, step = analytic.gaussian_denoiser, cases.METHODS["ddim"][0]
    grid, numbers = cases.grid(8), cases.guidance(eta=0.0)
    image, info = loop.sample(
        key, denoise, prior, step, grid, problem, numbers, n_kept=2
    )
    np.testing.assert_allclose(info.x0_hat[1], image, atol=1e-6)
    x_start = jax.random.normal(jax.random.split(key)[0], image.shape)
    first = denoise(prior, x_start, grid.t[0], grid.alpha_bar[0]).x0_hat
    np.testing.assert_allclose(info.x0_hat[0], first, atol=1e-6)


@pytest.mark.parametrize("n_steps", [1, 2, 5, 100])
def test_the_steps_kept_are_spread_and_hold_both_ends(n_steps):
    steps = loop.kept_steps(n_steps, 5)
    assert len(steps) == len(set(steps)) == min(n_steps, 5)
    assert steps[-1] == n_steps - 1 and steps[0] in (0, n_steps - 1)
    rows = loop.frame_rows(n_steps, 5)
    assert [np.flatnonzero(rows == i)[-1] for i in range(len(steps))] == list(steps)


@pytest.mark.parametrize(
    "name",
    [m for m, facts in methods.FACTS.items() if facts.evaluations == 1],
)
def test_one_forward_and_its_backward_products(name, key):
    """The denoiser is traced once a step; its pullback serves both gradients."""
    prior, problem, _ = cases.noisy_case("real", 0.3)
    forward, backward = [], []

    @jax.custom_vjp
    def counted(x):
        return x

    def count_backward(_, cotangent):
        backward.append(1)
        return (cotangent,)

    counted.defvjp(lambda x: (x, None), count_backward)

    def denoise(params, x_t, t, alpha_bar):
        forward.append(1)
        return analytic.gaussian_denoiser(params, counted(x_t), t, alpha_bar)

    args = (name, prior, problem, cases.guidance(), 4)
    jax.make_jaxpr(lambda k: cases.run(k, *args, denoise=denoise))(key)
    assert (len(forward), len(backward)) == (1, methods.FACTS[name].gradients)


@pytest.mark.parametrize(
    "name", [m for m, facts in methods.FACTS.items() if facts.evaluations > 1]
)
def test_network_evaluations_are_those_told_of(name, key):
    """Estimates that are kept cost none; what nobody uses is not evaluated."""
    prior, problem, _ = cases.noisy_case("real", 0.3)
    made = defaults.reconstruction()
    made.method, made.sampler.n_steps = name, 4
    evaluated = []

    @jax.custom_jvp
    def counted(x):
        return jax.pure_callback(lambda x: evaluated.append(1) or x, x, x)

    counted.defjvp(lambda x, dx: (counted(*x), *dx))

    def denoise(params, x_t, t, alpha_bar):
        x_t = counted(x_t)
        return analytic.gaussian_denoiser(params, x_t, t, alpha_bar)

    args = (name, prior, problem, cases.guidance(), 4)
    run = jax.jit(lambda k: cases.run(k, *args, denoise=denoise, n_kept=2))
    jax.block_until_ready(run(key))
    assert len(evaluated) == methods.nfe(made)


def test_a_proximal_step_that_is_not_solved_is_seen(key):
    prior, problem, _ = cases.gaussian_case("ct")
    step = mgdm.make_step(mgdm.Options(proximal_fn=proximal.conjugate_gradient(1)))
    numbers = cases.guidance(rho=0.0)
    _, info = cases.sample(key, step, prior, problem, numbers)
    assert info.prox_gap.min() > 1e-3


def test_dps_is_ddpm_s_posterior_and_a_gradient_where_x0_is_clipped(key):
    """Its mean is √ᾱ_s β/(1-ᾱ_t) x0 + √α (1-ᾱ_s)/(1-ᾱ_t) x_t, x0 being clipped."""
    prior, problem, _ = cases.noisy_case("real", 0.3)
    row = jax.tree.map(lambda v: v[3], cases.grid())
    x_t = jax.random.normal(key, problem.operator.image_shape)

    def clipped(*args):
        denoised = analytic.gaussian_denoiser(*args)
        return denoised._replace(x0_hat=jnp.clip(denoised.x0_hat, -0.1, 0.1))

    estimate = loop.linearise(clipped, prior, x_t, row, 1.0)
    assert jnp.abs(estimate.x0_hat).max() == pytest.approx(0.1)
    numbers = cases.guidance(zeta=0.0, eta=1.0)
    keys = jax.random.split(key, 4000)
    draws = jax.vmap(lambda k: dps.make_step()(k, estimate, problem, numbers)[0])(keys)
    t, s = float(row.alpha_bar), float(row.alpha_bar_next)
    alpha = t / s
    mean = np.sqrt(s) * (1 - alpha) / (1 - t) * estimate.x0_hat
    mean = mean + np.sqrt(alpha) * (1 - s) / (1 - t) * x_t
    deviation = np.sqrt((1 - s) / (1 - t) * (1 - alpha))
    np.testing.assert_allclose(draws.mean(0), mean, atol=5 * deviation / 63)
    np.testing.assert_allclose(draws.std(0), deviation, rtol=0.06)
