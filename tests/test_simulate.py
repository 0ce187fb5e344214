"""Simulated noise: its level, where it falls, and that it is the sampler's no more."""

import jax
import numpy as np
import pytest
from test_configs import ROOT, load

from mgdm_jax import defaults, photons, simulate
from mgdm_jax.operators import linalg

SIGMA = 0.05


def noise_of(shape, seed=3):
    """Return (noise, operator) of the task's simulation, without the clean part."""
    config = load(ROOT / "mri_brats.py", "smoke")
    config.sampler.seed = seed
    clean = simulate.simulate(config, shape)
    config.task.noise_std = SIGMA
    noisy = simulate.simulate(config, shape)
    assert noisy.noise_std == SIGMA and noisy.facts["noise_std"] == SIGMA
    return np.asarray(noisy.measurement - clean.measurement), noisy.operator


@pytest.mark.parametrize("shape", [(120, 120), (120, 120, 2)])
def test_level_and_support(shape):
    noise, operator = noise_of(shape)
    sampled = np.asarray(operator.mask) > 0
    assert np.all(noise[:, ~sampled] == 0)
    for part in (noise[:, sampled].real, noise[:, sampled].imag):
        assert part.std() == pytest.approx(SIGMA, rel=0.03)


def test_noise_is_independent_of_the_sampler_s_draws():
    """Neither the seed's key nor any key that the sampler splits from it is drawn."""
    noise, operator = noise_of((120, 120))
    sampled = np.asarray(operator.mask) > 0
    root = jax.random.key(3)
    keys = [root, *jax.random.split(root, len(noise))]
    keys += [start for key in keys[1:] for start in jax.random.split(key)]
    for key in keys:
        for draw in (
            jax.random.normal(key, (2, *noise.shape))[0],
            jax.random.normal(key, noise.shape),
        ):
            one, other = noise.real[:, sampled], np.asarray(draw)[:, sampled]
            assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.06


def test_counts_behind_water_have_beer_s_mean_and_poisson_s_spread():
    """200 mm of water, image value (0 + 1024)/2048 = .5: p = .0193 · 200 · 1.024."""
    mm_per_unit, thickness = 48.0, 200.0
    clean = np.full((300, 300), 0.5 * thickness / mm_per_unit)
    rng = np.random.default_rng(0)
    noisy, deviation = photons.low_dose(rng, clean, 1e5, mm_per_unit)
    survive = 1e5 * np.exp(-0.0193 * 200 * 1.024)
    spread = 1 / np.sqrt(survive) / (2.048 * 0.0193 * mm_per_unit)
    assert noisy.mean() == pytest.approx(clean.mean(), abs=5 * spread / 300)
    assert noisy.std() == pytest.approx(spread, rel=0.02)
    assert deviation.mean() == pytest.approx(spread, rel=0.02)


def test_a_ray_that_no_photon_survives_stays_finite():
    rng = np.random.default_rng(0)
    noisy, deviation = photons.low_dose(rng, np.full((4, 4), 50.0), 10.0, 48.0)
    assert np.isfinite(noisy).all() and np.isfinite(deviation).all()


def test_low_dose_sinograms_are_off_by_their_sigma():
    config = load(ROOT / "ct_lidc.py", "smoke")
    config.task.n_views, config.method = 4, "ddnm"
    clean = simulate.simulate(config, (160, 160))
    config.task.photons = 1e5
    noisy = simulate.simulate(config, (160, 160))
    off = np.asarray(noisy.measurement - clean.measurement)
    spread = np.sqrt((off**2).mean())
    assert spread == pytest.approx(noisy.noise_std, rel=0.1)
    assert noisy.facts["photons"] == 1e5


def test_views_to_be_merged_hold_the_same_noise():
    config = load(ROOT / "ct_lidc.py", "smoke")
    config.task.n_views, config.task.noise_std, config.method = 4, 0.01, "dps"
    few = simulate.simulate(config, (160, 160))
    config.guidance.proximal = "fbp_merge"
    whole = simulate.simulate(config, (160, 160))
    seen = np.asarray(whole.operator.measured) > 0
    np.testing.assert_array_equal(whole.measurement[:, seen], few.measurement)
    assert not np.asarray(whole.measurement[:, ~seen]).any()
    image = few.reference[0]
    again, once = whole.operator.forward(image), few.operator.forward(image)
    np.testing.assert_allclose(again[seen], once, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "photons", "noise_std"),
    [("mri_brats", 1e5, 0.0), ("ct_lidc", 1e5, 0.1), ("ct_lidc", -1.0, 0.0)],
)
def test_photons_that_mean_nothing_are_refused(name, photons, noise_std):
    config = load(ROOT / f"{name}.py", "smoke")
    config.task.photons, config.task.noise_std = photons, noise_std
    config.task.n_views, config.method = 2, "dps"
    size = 160 if name == "ct_lidc" else 120
    with pytest.raises(ValueError, match=r"task\.photons"):
        simulate.simulate(config, (size, size))


def test_a_kind_that_nothing_simulates_is_refused():
    config = defaults.reconstruction()
    config.task.kind = "motion_blur"
    with pytest.raises(ValueError, match=r"nothing simulates task\.kind='motion_blur'"):
        simulate.make_operator(config.task, (16, 16))


SOLVERS = [("mgdm", "auto", True), ("mgdm", "cg", True), ("mgdm", "spectral", False)]
SOLVERS += [("mgdm", "fbp_residual", False), ("mgdm", "fbp_merge", False)]
SOLVERS += [("dps", "spectral", True), ("ddrm", "auto", False), ("mcg", "auto", False)]


@pytest.mark.parametrize(("method", "solver", "weighs"), SOLVERS)
def test_low_dose_rays_are_weighed_where_the_method_can(method, solver, weighs):
    """All see the same counts; weighed, noise is of one level, as it is not else."""
    config = load(ROOT / "ct_lidc.py", "smoke")
    config.task.n_views, config.method = 4, "dps"
    clean = simulate.simulate(config, (160, 160))
    config.task.photons, config.method = 3e3, method
    config.guidance.proximal = solver
    noisy = simulate.simulate(config, (160, 160))
    index = np.arange(len(noisy))
    truth, problem = clean.reference * clean.region, noisy.problem(index)
    assert (noisy.weight is not None) == weighs == noisy.facts["weighted"]
    project = jax.vmap(lambda p, x: p.operator.forward(x), in_axes=(noisy.axes, 0))
    off = np.asarray(problem.measurement - project(problem, truth))
    off = off[:, np.any(np.asarray(problem.measurement) != 0, axis=(0, 2))]
    dark = np.asarray(clean.measurement) > np.quantile(clean.measurement, 0.9)
    spread = off[dark].std() / off[~dark].std()
    assert (0.9 < spread < 1.2) == weighs and spread > 0.9
    assert np.std(off) == pytest.approx(float(problem.noise_std.mean()), rel=0.1)


def test_an_image_s_weights_are_its_own(key):
    """Whichever images are beside it, and ‖W A‖ is 1 of each."""
    config = load(ROOT / "ct_lidc.py", "smoke")
    config.task.n_views, config.task.photons = 4, 3e3
    noisy = simulate.simulate(config, (160, 160))
    one, alone = noisy.single(1), noisy.take(np.array([1]))
    assert one.operator.weight.shape == one.measurement.shape == (4, 160)
    other = alone.single(0)
    assert float(other.noise_std) == float(one.noise_std) > 0
    np.testing.assert_array_equal(other.operator.weight, one.operator.weight)
    np.testing.assert_array_equal(other.measurement, one.measurement)
    norm = jax.jit(linalg.operator_norm)
    norms = [float(norm(noisy.single(i).operator, key)) for i in (0, 1)]
    np.testing.assert_allclose(norms, 1, rtol=1e-2)
    # What a device's arithmetic made is no part of what files and seeds give.
    assert all(leaf is not noisy.weight for leaf in noisy.given())
