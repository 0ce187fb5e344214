"""Names become steps; what cannot work is refused."""

import functools
import itertools

import dense
import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import operator_cases
import pytest
from helpers import forward

from mgdm_jax import (
    analytic,
    factory,
    methods,
    schedules,
)
from mgdm_jax.samplers import dds, loop, mgdm
from mgdm_jax.types import Problem, StepInfo


def test_unknown_method_is_refused_with_the_names():
    with pytest.raises(ValueError, match=r"mgdm, .*got 'mgmd'"):
        methods.make_step(cases.config("mgmd"))


def stepped(step, index, key):
    """Return x_s of one step on CT with noise."""
    prior, problem, _ = cases.noisy_case("ct", 0.3)
    return cases.step_at(key, step, problem, prior, cases.guidance(), index)[0]


STEPS = [name for name in methods.METHODS if name not in cases.PROCESSES]


@pytest.mark.parametrize("index", [3, -1])
@pytest.mark.parametrize("method", STEPS)
def test_a_name_is_the_step_of_its_row(method, index, key):
    """The row, whose step is tested against theory, and no other method's."""
    row = cases.SHIPPED.get(method, method)
    want = dds.make_step() if method == "dds" else row
    got = stepped(methods.make_step(cases.config(method)), index, key)
    np.testing.assert_array_equal(got, stepped(want, index, key))


def test_no_two_names_are_one_method(key):
    images = {m: stepped(methods.make_step(cases.config(m)), 3, key) for m in STEPS}
    del images["ddnm_plus"]  # DDRM at η_b = 1, the default
    for one, other in itertools.combinations(images, 2):
        assert jnp.abs(images[one] - images[other]).max() > 1e-3, (one, other)


def test_a_process_is_the_one_of_its_row():
    for name, process in cases.PROCESSES.items():
        assert methods.make_process(cases.config(name)).func is process


PROJECTING = ("ddnm", "diffpir", "mcg", "pigdm", "score_med", "score_mri")


@pytest.mark.parametrize("method", PROJECTING)
def test_another_proximal_step_arrives(method, key):
    made = cases.config(method)
    made.task.kind, made.guidance.proximal = "ct", "fbp_residual"
    usual = stepped(methods.make_step(cases.config(method)), 3, key)
    assert jnp.abs(stepped(methods.make_step(made), 3, key) - usual).max() > 1e-3


@pytest.mark.parametrize("method", ["ddnm_plus", "ddrm"])
def test_spectral_methods_refuse_other_solvers(method):
    made = cases.config(method)
    made.guidance.proximal = "cg"
    with pytest.raises(ValueError, match="spectrum"):
        methods.make_step(made)


@pytest.mark.parametrize(
    ("method", "zeta", "rho", "cheapest"),
    [
        ("mgdm", 0.3, 0.1, "mgdm"),
        ("mgdm", 0.3, 0.0, "mgdm_no_r"),
        ("mgdm", 0.0, 0.1, "mgdm_no_i"),
        ("mgdm", 0.0, 0.0, "mgdm_no_ir"),
        ("mgdm_no_r", 0.0, 0.1, "mgdm_no_ir"),
        ("mgdm_no_i", 0.3, 0.1, "mgdm_no_i"),
        ("mgdm_no_pr", 0.0, 0.0, "mgdm_no_pr"),
        ("dps", 0.0, 0.0, "dps"),
    ],
)
def test_gradients_that_weigh_nothing_are_left_out(method, zeta, rho, cheapest, key):
    numbers, made = cases.guidance(zeta=zeta, rho=rho), cases.config(method)
    spared = methods.spared(made, numbers)
    assert (spared.method, made.method) == (cheapest, method)
    steps = methods.make_step(made), methods.make_step(spared)
    whole, fewer = cases.both(key, "complex", steps[0], numbers, steps[1], numbers)
    np.testing.assert_allclose(fewer, whole, atol=1e-5)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("guidance.zeta_scaling", "eq13"),
        ("guidance.through_inner", True),
        ("guidance.discrepancy_norm", "norm"),
        ("guidance.residual", "norm"),
        ("guidance.lam_follows_noise", False),
        ("sampler.noise", "ddim"),
    ],
)
def test_an_option_of_mgdm_arrives(field, value, key):
    prior, problem, _ = cases.gaussian_case("complex")
    problem = problem._replace(noise_std=jnp.float32(0.3))
    made = cases.config("mgdm")
    made.update_from_flattened_dict({field: value})
    options = mgdm.Options(**{field.partition(".")[2]: value})
    got, want, default = (
        cases.step_at(key, step, problem, prior, cases.guidance())[0]
        for step in (methods.make_step(made), mgdm.make_step(options), "mgdm")
    )
    np.testing.assert_array_equal(got, want)
    assert jnp.abs(got - default).max() > 1e-3


def without_spectrum(name):
    operator = operator_cases.WITHOUT_SPECTRUM[name]()
    shape, n = operator.image_shape, int(np.prod(operator.image_shape))
    prior = analytic.Gaussian(jnp.zeros(shape), jnp.ones(n), jnp.eye(n))
    return prior, Problem(operator, forward(operator, jnp.ones(shape)))


@pytest.mark.parametrize("method", ["ddnm_plus", "ddrm"])
@pytest.mark.parametrize("name", operator_cases.WITHOUT_SPECTRUM)
def test_spectral_methods_say_where_no_spectrum_is_known(method, name, key):
    """One line, and no word of a proximal, which these methods refuse to be given."""
    step = methods.make_step(cases.config(method))
    with pytest.raises(ValueError, match=f"^{method} works in the spectrum") as caught:
        cases.sample(key, step, *without_spectrum(name), cases.guidance())
    assert "\n" not in str(caught.value) and "proximal" not in str(caught.value)
    assert "mgdm, dds or pigdm" in str(caught.value)


@pytest.mark.parametrize("method", ["mgdm", "dds", "pigdm"])
def test_what_they_send_to_works_there(method, key):
    step = methods.make_step(cases.config(method))
    prior, problem = without_spectrum("coils")
    _, info = cases.sample(key, step, prior, problem, cases.guidance(), steps=2)
    assert info.finite.all()


def test_dds_is_five_steps_of_cg_or_as_many_as_told(key):
    """By the dense minimisers over Krylov spaces, of which 4 and 6 are others."""
    prior, problem, model = cases.gaussian_case("ct")
    numbers = cases.guidance(lam=1e-3, eta=0.0)
    row = jax.tree.map(lambda v: v[3], cases.grid())
    x_t = jax.random.normal(key, problem.operator.image_shape)
    estimate = loop.linearise(analytic.gaussian_denoiser, prior, x_t, row, 1.0)
    x0_hat = np.float64(estimate.x0_hat).ravel()
    matrix = model.matrix.T @ model.matrix + 1e-3 * np.eye(len(x0_hat))
    right = model.matrix.T @ (model.y - model.matrix @ x0_hat)
    want = {n: x0_hat + dense.krylov(matrix, right, n) for n in (3, 4, 5, 6)}
    for told, n in ((None, 5), (3, 3)):
        made = cases.config("dds")
        made.guidance.cg_steps = told
        _, info = methods.make_step(made)(key, estimate, problem, numbers)
        off = {n: np.abs(np.ravel(info.x0_bar) - x).max() for n, x in want.items()}
        assert off.pop(n) < 1e-4 and min(off.values()) > 1e-2, off


def test_a_late_start_is_the_noised_baseline(key):
    made = cases.config("ddim")
    made.sampler.start = 0.3
    prior, problem, _ = cases.gaussian_case("real")
    grid = cases.grid(1)._replace(alpha_bar=jnp.array([0.6]))

    def stay(key, estimate, problem, guidance):
        info = StepInfo(*[estimate.alpha_bar] * 3, x0_bar=estimate.x_t)
        return estimate.x_t, info

    def start(late):
        sample = functools.partial(loop.sample, step=stay, from_baseline=late)
        return sample(
            key=key,
            denoise=analytic.gaussian_denoiser,
            params=prior,
            grid=grid,
            problem=problem,
            guidance=cases.guidance(),
        )[0]

    want = 0.6**0.5 * problem.operator.baseline(problem.measurement)
    np.testing.assert_allclose(start(True), want + 0.4**0.5 * start(False), rtol=1e-4)
    assert methods.make_process(made).keywords["from_baseline"]


@pytest.mark.parametrize("method", ["mgdm", "ddnm_plus", "dps"])
def test_from_the_top_without_journeys_it_is_the_plain_sampler(method, key):
    """CCDF at start = 1, and time travel that walks once, are bit for bit nothing."""
    made = cases.config(method)
    made.sampler.n_steps = 6
    assert (made.sampler.start, made.sampler.travel_repeat) == (1.0, 1)
    params, problem, _ = cases.gaussian_case("real")
    prior = factory.Prior(
        denoise=analytic.gaussian_denoiser,
        params=params,
        alpha_bar=schedules.discrete_vp("linear"),
        image_shape=problem.operator.image_shape,
        noise_scale=1.0,
        centre=0.0,
    )
    step = methods.make_step(made)
    plain = factory.make_sampler(prior, step, prior.grid(6))

    def images(sampler):
        run = jax.jit(lambda k: sampler(k, params, problem, cases.guidance())[0])
        return run(key)

    want = images(plain)
    made.sampler.travel_length = 3
    np.testing.assert_array_equal(images(factory.make(prior, made)), want)
    for field, value in (("start", 0.5), ("travel_repeat", 2)):
        other = cases.config(method)
        other.sampler.n_steps, other.sampler.travel_length = 6, 3
        other.sampler[field] = value
        assert jnp.abs(images(factory.make(prior, other)) - want).max() > 1e-3


@pytest.mark.parametrize(
    ("method", "proximal", "cg_steps"),
    [("mgdm", "auto", 5), ("ddnm", "spectral", 5), ("dds", "spectral", None)],
)
def test_what_would_change_nothing_is_refused(method, proximal, cg_steps):
    made = cases.config(method)
    made.guidance.proximal, made.guidance.cg_steps = proximal, cg_steps
    with pytest.raises(ValueError, match=r"guidance\.(cg_steps|proximal)"):
        methods.make_step(made)
