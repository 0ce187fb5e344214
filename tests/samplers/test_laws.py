"""What holds for every sampler: jit, vmap, one trace, bits, diagnostics."""

import dataclasses

import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import pytest

from mgdm_jax import analytic
from mgdm_jax.samplers import loop

METHODS = sorted(cases.METHODS)


def sampler(name):
    def run(key, prior, problem, numbers):
        return cases.run(key, name, prior, problem, numbers, steps=4)

    return run


@pytest.mark.parametrize("name", METHODS)
def test_jit_equals_eager(name, key):
    prior, problem, _ = cases.gaussian_case("real")
    args = (key, prior, problem, cases.guidance())
    got, info = jax.jit(sampler(name))(*args)
    with jax.disable_jit():
        want, want_info = sampler(name)(*args)
    np.testing.assert_allclose(got, want, atol=2e-5)
    assert got.dtype == jnp.float32
    assert info.data_residual.shape == want_info.data_residual.shape == (4,)


@pytest.mark.parametrize("name", METHODS)
def test_vmap_over_problems_and_numbers_equals_a_loop(name, key):
    prior, problem, _ = cases.gaussian_case("real")
    run = sampler(name)
    keys = jax.random.split(key, 2)
    ys = jnp.stack([problem.measurement, 0.5 * problem.measurement])
    numbers = [cases.guidance(), cases.guidance(zeta=0.1, lam=0.5, rho=0.0, eta=1.0)]
    stacked = jax.tree.map(lambda *v: jnp.stack(v), *numbers)
    problems = problem._replace(measurement=ys)
    axes = problem._replace(operator=None, measurement=0, noise_std=None)
    over_problems = jax.vmap(run, in_axes=(0, None, axes, None))
    both = jax.jit(jax.vmap(over_problems, in_axes=(None, None, None, 0)))
    got, _ = both(keys, prior, problems, stacked)
    one = jax.jit(run)
    for i, number in enumerate(numbers):
        for j in range(2):
            want, _ = one(keys[j], prior, problem._replace(measurement=ys[j]), number)
            np.testing.assert_allclose(got[i, j], want, atol=2e-5)


@pytest.mark.parametrize("name", METHODS)
def test_traced_once(name, key):
    prior, problem, _ = cases.gaussian_case("real")
    traces = []

    def counted(*args):
        traces.append(1)
        return sampler(name)(*args)

    run = jax.jit(counted)
    other = dataclasses.replace(
        problem.operator, mask=jnp.roll(problem.operator.mask, 1, 1)
    )
    run(key, prior, problem, cases.guidance())
    run(key, prior, problem._replace(operator=other), cases.guidance())
    run(jax.random.key(5), prior, problem, cases.guidance(0.0, 0.0, 0.0, 0.0))
    assert len(traces) == 1


@pytest.mark.parametrize("name", METHODS)
def test_same_key_same_bits(name, key):
    prior, problem, _ = cases.gaussian_case("real")
    run = jax.jit(sampler(name))
    first, _ = run(key, prior, problem, cases.guidance())
    second, _ = run(key, prior, problem, cases.guidance())
    np.testing.assert_array_equal(first, second)


def test_diagnostics_say_what_they_say(key):
    prior, problem, _ = cases.gaussian_case("ct")
    numbers = cases.guidance()
    image, info = jax.jit(sampler("mgdm_no_r"))(key, prior, problem, numbers)
    misfit = problem.measurement - problem.operator.forward(image)
    want = jnp.linalg.norm(misfit) / jnp.linalg.norm(problem.measurement)
    np.testing.assert_allclose(info.data_residual[-1], want, rtol=1e-3)
    assert info.prox_gap.max() < 1e-4
    assert info.finite.all()


def test_divergence_is_reported(key):
    prior, problem, _ = cases.gaussian_case("real")
    numbers = cases.guidance(zeta=1e30)
    _, info = jax.jit(sampler("mgdm_no_pr"))(key, prior, problem, numbers)
    assert not info.finite[-1]


def test_one_forward_and_two_backward_products(key):
    """The denoiser is traced once a step; its pullback serves both gradients."""
    prior, problem, _ = cases.gaussian_case("real")
    calls = []

    def counting(*args):
        calls.append(1)
        return analytic.gaussian_denoiser(*args)

    jax.jit(
        lambda k: loop.sample(
            k,
            counting,
            prior,
            cases.METHODS["mgdm"][0],
            cases.grid(4),
            problem,
            cases.guidance(),
        )
    )(key)
    assert len(calls) == 1
