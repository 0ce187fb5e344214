"""Every file in configs/ builds, at every scale it offers."""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
import tiny
from ml_collections import ConfigDict

from experiments import agenda, rows
from experiments.benchmarks import paper_shapes
from mgdm_jax import (
    defaults,
    factory,
    hyperparameters,
    methods,
    priors,
    train,
    tuned,
)
from mgdm_jax.networks import unet
from mgdm_jax.training.defaults import prior_training, supervised_training
from mgdm_jax.types import Guidance, Problem

ROOT = Path(__file__).parents[1] / "configs"
TASKS = sorted(ROOT.glob("*.py"))
OUTLOOK = [ROOT / f"{kind}.py" for kind in sorted(factory.PHOTOGRAPHIC)]
NETWORKS = sorted((ROOT / "priors").glob("*.py"))
NETWORKS += sorted((ROOT / "supervised").glob("*.py"))


def load(path, arg=""):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(arg)


def name(path):
    return path.stem


def fields(config):
    """Return the names of all fields but `tuned`, whose are methods and levels."""
    return {
        name: sorted(group) if isinstance(group, ConfigDict) else None
        for name, group in config.items()
        if name != "tuned"
    }


@pytest.mark.parametrize("path", TASKS, ids=name)
@pytest.mark.parametrize("arg", ["", "smoke", "demo"])
def test_variants(path, arg):
    config = load(path, arg)
    assert config.name == path.stem
    assert fields(config) == fields(defaults.reconstruction())
    methods.make_step(config)
    config.method = "dps"
    assert bool(hyperparameters.origin(config)) == (path in OUTLOOK)


@pytest.mark.parametrize("path", TASKS + NETWORKS, ids=name)
def test_unknown_variant_is_refused(path):
    with pytest.raises(ValueError, match="variants are"):
        load(path, "big")


@pytest.mark.parametrize("path", TASKS, ids=name)
@pytest.mark.parametrize("method", methods.METHODS)
def test_every_method_has_its_numbers(path, method):
    config = load(path)
    config.method = method
    guidance = hyperparameters.resolve(config)
    assert all(value.dtype == jnp.float32 for value in guidance)


@pytest.mark.parametrize(
    "task", agenda.TASKS, ids=lambda t: rows.level_name(t.configured())
)
def test_a_method_s_name_alone_is_a_fair_run(task):
    """Its numbers are those chosen on validation for this very level, or it is said."""
    config = task.configured()
    level = f"{task.level}{hyperparameters.NOISY if task.noise else ''}"
    chosen = tuned.BY_KIND[config.task.kind][level]
    assert {"mgdm", "mgdm_no_i", "mgdm_no_ir", "mgdm_no_r"} <= set(chosen)
    for config.method in methods.METHODS:
        assert (config.method in chosen) == (not hyperparameters.origin(config))
        if config.method in chosen:
            numbers = hyperparameters.numbers(config)
            assert tuple(numbers.values()) == chosen[config.method]


def test_scoremed_starts_from_its_paper_s_numbers_where_it_was_not_tuned():
    """(ζ, λ): 0.517 and all of what was measured."""
    config = load(ROOT / "inpainting.py")
    config.method = "score_med"
    numbers = hyperparameters.numbers(config)
    assert (numbers["zeta"], numbers["lam"]) == (0.517, 1.0)
    assert hyperparameters.origin(config) == "starting values"
    ct = load(ROOT / "ct_lidc.py")
    ct.method = "score_med"
    assert not hyperparameters.origin(ct)


@pytest.mark.parametrize("path", OUTLOOK, ids=name)
def test_tasks_of_the_outlook_have_no_paper_settings(path):
    with pytest.raises(ValueError, match="variants are"):
        load(path, "paper")


MEASURED = {
    "inpainting": ("kept", (120, 120)),
    "super_resolution": ("factor", (30, 30)),
    "deblurring": ("blur_std", (120, 120)),
}
"""Task of the outlook -> its field, and the shape of one measurement."""


@pytest.mark.parametrize("path", OUTLOOK, ids=name)
def test_tasks_of_the_outlook_build(path, tmp_path):
    """Operator and data."""
    config = load(path, "smoke")
    config.prior.path = tiny.write_prior(tmp_path)
    measured = factory.build(config).measurements
    field, shape = MEASURED[path.stem]
    assert measured.facts["simulated"] == path.stem
    assert measured.facts[field] == pytest.approx(config.task[field], rel=0.02)
    assert measured.measurement.shape == (2, *shape)
    forward = jax.vmap(measured.operator.forward)
    noise = measured.measurement - forward(jnp.asarray(measured.reference))
    want = pytest.approx(config.task.noise_std, rel=0.03, abs=1e-5)
    assert float(noise.std()) == want


@pytest.mark.parametrize("path", OUTLOOK, ids=name)
def test_mgdm_samples_tasks_of_the_outlook(path, tmp_path, key):
    """As configured, and at λ = ρ = 0, where the image meets noiseless data."""
    config = load(path, "smoke")
    config.prior.path = tiny.write_prior(tmp_path)
    config.data.n_images, config.sampler.n_steps = 1, 2
    prior, measured, sampler = factory.build(config)
    run = jax.jit(lambda p, g: sampler(key, prior.params, p, g))
    numbers, operator = hyperparameters.resolve(config), measured.operator
    sigma, y = jnp.float32(measured.noise_std), measured.measurement[0]
    image, info = run(Problem(operator, y, sigma), numbers)
    assert image.shape == (120, 120) and info.finite.all()
    clean = operator.forward(jnp.asarray(measured.reference[0]))
    exact = numbers._replace(lam=jnp.float32(0), rho=jnp.float32(0))
    image, _ = run(Problem(operator, clean, jnp.float32(0)), exact)
    misfit = operator.forward(image) - clean
    assert jnp.linalg.norm(misfit) < 1e-4 * jnp.linalg.norm(clean)


@pytest.mark.parametrize("path", sorted(set(TASKS) - set(OUTLOOK)), ids=name)
def test_paper_scale_builds(path):
    """Network and sampler at full size, without allocating anything."""
    config = load(path, "paper")
    network = config.prior.network.to_dict()
    facts = priors.PriorSpec("paper", network, "eps", "linear", 2.0, -1.0, 0.0, 1.0, {})
    prior = factory.build_prior(facts)
    grid = prior.grid(config.sampler.n_steps, config.sampler.time_grid)
    assert grid.t.shape == (config.sampler.n_steps,)
    problem = paper_shapes.problem_of(config, prior.image_shape)
    sampler = factory.make_sampler(prior, methods.make_step(config), grid)
    image, info = jax.eval_shape(
        sampler,
        jax.random.key(0),
        prior.params,
        problem,
        Guidance(*[paper_shapes.abstract(())] * 4),
    )
    assert image.shape == prior.image_shape
    assert info.data_residual.shape == (config.sampler.n_steps,)


DEFAULTS = {
    "priors": prior_training,
    "supervised": supervised_training,
}
PAPER = {"brats": (240, 240), "fastmri": (320, 320, 2), "lidc": (320, 320)}
"""Name of a training at the paper's scale -> shape of its images."""

TRAININGS = [(path, arg) for path in NETWORKS for arg in ("", "smoke")]
TRAININGS += [(path, "paper") for path in NETWORKS if path.parent.name == "priors"]


def blank_weights(network, _):
    """Stand in for `unet.initialise`, which builds the network a second time."""
    shapes = unet.abstract_params(network)
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)


@pytest.mark.parametrize(
    ("path", "arg"), TRAININGS, ids=lambda v: getattr(v, "stem", v)
)
def test_trainings_build(path, arg, monkeypatch):
    config, built = load(path, arg), []
    assert fields(config) == fields(DEFAULTS[path.parent.name]())
    config.init = ""
    monkeypatch.setattr(unet, "initialise", blank_weights)

    def state():
        built.append(train.build(config))
        return built[0].state

    shapes = jax.eval_shape(state)
    weights = sum(leaf.size for leaf in jax.tree.leaves(shapes.params))
    if arg == "paper":
        assert built[0].spec.image_shape == PAPER[config.name]
        assert weights > 6e7
    else:
        assert 2 * weights < 8e6  # bytes in half precision
