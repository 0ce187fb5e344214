"""Every file in configs/ builds, at every scale it offers."""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from experiments.benchmarks import paper_shapes
from mgdm_jax import factory, hyperparameters, methods, priors, train
from mgdm_jax.types import Guidance

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


@pytest.mark.parametrize("path", TASKS, ids=name)
@pytest.mark.parametrize("arg", ["", "smoke", "demo"])
def test_variants(path, arg):
    config = load(path, arg)
    assert config.name == path.stem
    methods.make_step(config)


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


def test_scoremed_starts_from_its_paper_s_numbers_where_it_was_not_tuned():
    """(ζ, λ): 0.517 and all of k-space."""
    config = load(ROOT / "mri_brats.py")
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


@pytest.mark.parametrize("path", NETWORKS, ids=name)
def test_trainings_build(path):
    config = load(path)
    config.init = ""
    shapes = jax.eval_shape(lambda: train.build(config).state)
    weights = sum(leaf.size for leaf in jax.tree.leaves(shapes.params))
    assert 2 * weights < 8e6  # bytes in half precision
