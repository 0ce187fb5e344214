"""What `methods.FACTS` says of a method is so."""

import importlib
import pkgutil
import re

import jax
import jax.numpy as jnp
import method_cases as cases
import pytest

from mgdm_jax import analytic, hyperparameters, methods, samplers, tuned
from mgdm_jax.operators import weighted
from mgdm_jax.samplers import ddim
from mgdm_jax.types import Problem

OWN_UPDATE = [name for name, facts in methods.FACTS.items() if facts.own_update]


def test_a_method_without_a_case_says_so(monkeypatch):
    monkeypatch.setitem(methods.FACTS, "mine", methods.Facts(("eta",)))
    with pytest.raises(NotImplementedError, match="no case for 'mine'"):
        methods.make_step(cases.config("mine"))


@pytest.mark.parametrize("sigma", [0.0, 0.1])
@pytest.mark.parametrize("method", methods.METHODS)
def test_a_method_uses_the_numbers_that_it_is_said_to(method, sigma, key):
    made = cases.config(method)
    made.task.noise_std = sigma
    prior, problem, _ = cases.noisy_case("complex", sigma)
    numbers = cases.guidance(lam=0.5)

    def image(**changes):
        return cases.sample(key, method, prior, problem, numbers._replace(**changes))[0]

    moved = {
        name: float(jnp.abs(image(**{name: 0.5 * value}) - image()).max())
        for name, value in numbers._asdict().items()
    }
    assert tuple(n for n, move in moved.items() if move > 1e-4) == methods.used(made)
    assert all(move == 0 for n, move in moved.items() if n not in methods.used(made))


# DDS knows what its λ says alone.
BLIND = ("ddim", "ddnm", "dds", "dps", "mcg", "mgdm_no_pr", "red_diff")
BLIND += ("score_med", "score_mri")


@pytest.mark.parametrize("method", methods.METHODS)
def test_a_method_knows_of_noise_or_does_not(method, key):
    """The same y, said to be noisy or not."""
    quiet, noisy = (cases.noisy_case("ct", sigma)[:2] for sigma in (0.0, 0.3))
    numbers = cases.guidance(lam=0.5)
    without, with_noise = (
        cases.sample(key, cases.SHIPPED.get(method, method), *given, numbers)[0]
        for given in (quiet, noisy)
    )
    same = bool((without == with_noise).all())
    assert same == (method in BLIND)


@pytest.mark.parametrize("method", OWN_UPDATE)
def test_a_noise_that_would_be_ignored_is_refused(method):
    made = cases.config(method)
    methods.make_process(made)
    made.sampler.noise = "ddim"
    with pytest.raises(ValueError, match="noise of its own"):
        methods.make_process(made)


@pytest.mark.parametrize("method", OWN_UPDATE)
def test_an_order_that_would_be_ignored_is_refused(method):
    made = cases.config(method)
    made.sampler.order = 2
    with pytest.raises(ValueError, match="update of its own"):
        methods.make_process(made)


@pytest.mark.parametrize("method", [m for m in methods.METHODS if m != "ddim"])
def test_a_sample_of_little_weight_has_little_say_where_it_is_said_to(method, key):
    """Methods that solve as if there were no noise follow it as before, or refuse."""
    prior, problem, _ = cases.noisy_case("complex", 0.2)
    numbers = cases.guidance(zeta=0.05, lam=1.0)

    def moved(weight):
        weights = jnp.ones(problem.measurement.shape).at[0, 0].set(weight)
        operator = weighted.Weighted(problem.operator, weights)

        def image(y):
            given = Problem(operator, weights.astype(y.dtype) * y, problem.noise_std)
            row = cases.SHIPPED.get(method, method)
            return cases.sample(key, row, prior, given, numbers)[0]

        other = problem.measurement.at[0, 0].add(1.0)
        return float(jnp.abs(image(other) - image(problem.measurement)).max())

    if method in ("ddnm_plus", "ddrm"):
        with pytest.raises(ValueError, match="works in the spectrum"):
            moved(0.05)
    else:
        assert (moved(0.05) < 0.5 * moved(1.0)) == methods.FACTS[method].weighs


def test_network_evaluations_of_methods_with_several_a_step():
    made = cases.config("score_med")
    made.sampler.n_steps = 10
    assert methods.nfe(made) == 20
    made.method = "mgdm"
    assert methods.nfe(made) == 10


def sampled(key, made, prior, problem, n_steps=2):
    """Return image and diagnostics, with the numbers it resolves to."""
    made.sampler.n_steps = n_steps
    return methods.make_process(made)(
        key=key,
        denoise=analytic.gaussian_denoiser,
        params=prior,
        grid=cases.grid(n_steps),
        problem=problem,
        guidance=hyperparameters.resolve(made),
        noise_scale=1.0,
        centre=0.0,
    )


@pytest.mark.parametrize("method", methods.METHODS)
def test_every_method_samples_as_configured(method, key):
    """On CT; MRI is in the tests of each."""
    prior, problem, _ = cases.gaussian_case("ct")
    image, info = sampled(key, cases.config(method), prior, problem)
    assert image.shape == problem.operator.image_shape
    assert info.finite.all()


@pytest.mark.parametrize("method", methods.METHODS)
def test_a_method_asks_for_a_spectrum_as_it_is_said_to(method, key, monkeypatch):
    """Else a spectrum is computed that nobody asks for, minutes for a large scan."""
    prior, problem, _ = cases.gaussian_case("complex")
    asked, kind = [], type(problem.operator)
    usual = kind.spectral_filter

    def asking(self, gain, residual):
        asked.append(1)
        return usual(self, gain, residual)

    monkeypatch.setattr(kind, "spectral_filter", asking)
    made = cases.config(method)
    jax.eval_shape(lambda k: sampled(k, made, prior, problem), key)
    assert bool(asked) == methods.FACTS[method].asks_spectrum


@pytest.mark.parametrize("method", methods.METHODS)
def test_an_update_is_a_method_s_own_where_it_is_said_to_be(method, key, monkeypatch):
    prior, problem, _ = cases.gaussian_case("complex")
    asked, usual = [], ddim.update

    def asking(*args):
        asked.append(1)
        return usual(*args)

    monkeypatch.setattr(ddim, "update", asking)
    made = cases.config(method)
    jax.eval_shape(lambda k: sampled(k, made, prior, problem), key)
    assert bool(asked) != methods.FACTS[method].own_update


@pytest.mark.parametrize("method", [m for m in methods.METHODS if m not in OWN_UPDATE])
def test_the_noise_of_an_update_that_is_not_its_own_is_heard(method, key):
    prior, problem, _ = cases.gaussian_case("complex")
    images = []
    for noise in ("ddim", "ddnm"):
        made = cases.config(method)
        made.sampler.noise, made.guidance.zeta = noise, 0.1
        images.append(sampled(key, made, prior, problem, n_steps=4)[0])
    assert jnp.abs(images[0] - images[1]).max() > 1e-3


def test_every_method_has_numbers_to_start_from():
    assert set(tuned.STARTING) == set(methods.METHODS)


@pytest.mark.parametrize(
    "name", [m.name for m in pkgutil.iter_modules(samplers.__path__)]
)
def test_a_method_s_file_begins_with_its_formula_and_its_source(name):
    module = importlib.import_module(f"mgdm_jax.samplers.{name}")
    has_step = hasattr(module, "make_step") or name == "red_diff"
    formula = re.search(r"^ +\S.* (=|←) ", module.__doc__, re.M)
    formula = formula or re.search(r"^line 8: .* = ", module.__doc__, re.M)
    source = re.search(r"https://\S+|of the paper", module.__doc__)
    assert not has_step or (formula and source)
