"""Merits without references: at the truth, against known risks, and in a sweep."""

import dataclasses
import types

import command_server
import h5py
import jax
import jax.numpy as jnp
import numpy as np
import operator_cases
import pytest
import tiny
from helpers import random_image
from test_configs import ROOT, load

from mgdm_jax import factory, metrics, sweeps
from mgdm_jax.operators import linalg
from mgdm_jax.sweeping import criteria, evaluation, setup, tables
from mgdm_jax.types import Guidance, Problem

SIGMA = 0.3
GUIDANCE = Guidance(*map(jnp.float32, (1.0, 0.5, 0.0, 1.0)))


def shrunk(key, params, problem, guidance):
    """Return λ Aᴴ y: an estimate that is linear in y."""
    del key, params
    return guidance.lam * problem.operator.adjoint(problem.measurement), None


def draw(operator, image, key):
    y = operator.forward(image)
    noise = operator.sampled(linalg.unit_noise(key, y))
    return Problem(operator, y + SIGMA * noise, jnp.float32(SIGMA))


def merit(name, key, problem, image, held=None, reference=None):
    of = criteria.make(name, shrunk)
    return of(key, {}, problem, held, reference, GUIDANCE, image)


@pytest.mark.parametrize("case", ["complex_fourier", "ct"])
def test_sure_is_the_predictive_risk_on_average(case):
    make = getattr(operator_cases, case)
    operator = make((24, 25)) if case == "complex_fourier" else make(16)
    truth = random_image(operator, jax.random.key(0))
    y = operator.forward(truth)
    n_measured = (2 if jnp.iscomplexobj(y) else 1) * operator.sampled(
        jnp.ones_like(y)
    ).real.sum()

    def both(key):
        problem = draw(operator, truth, key)
        image, _ = shrunk(key, {}, problem, GUIDANCE)
        error = linalg.norm(operator.forward(image) - y) ** 2
        return merit("sure", key, problem, image), -error / (n_measured * SIGMA**2)

    found, want = jax.jit(jax.vmap(both))(jax.random.split(jax.random.key(0), 2000))
    spread = np.std(np.asarray(found - want)) / np.sqrt(len(found))
    assert abs(np.mean(found - want)) < 4 * spread
    assert spread < 0.02 * abs(np.mean(want))


def test_sure_of_a_sample_that_diverged_is_the_worst():
    operator = operator_cases.complex_fourier((12, 13))
    truth = random_image(operator, jax.random.key(0))
    key, problem = jax.random.key(1), draw(operator, truth, jax.random.key(1))
    assert np.isfinite(merit("sure", key, problem, truth))
    of = criteria.make("sure", lambda *_: (jnp.full(truth.shape, jnp.nan), None))
    assert of(key, {}, problem, None, None, GUIDANCE, truth) == -np.inf


@pytest.mark.parametrize("case", ["complex_fourier", "real_fourier", "multi_coil"])
def test_a_misfit_of_the_noise_has_most_merit(case):
    operator = getattr(operator_cases, case)((32, 33))
    truth = random_image(operator, jax.random.key(0))
    problem = draw(operator, truth, jax.random.key(1))
    at_truth = merit("discrepancy", None, problem, truth)
    assert -0.15 < at_truth <= 0
    fitted = problem.operator.adjoint(problem.measurement)
    assert merit("discrepancy", None, problem, 0 * truth) < at_truth
    if case == "complex_fourier":  # the noise itself is fitted
        assert merit("discrepancy", None, problem, fitted) == pytest.approx(
            -1, abs=1e-4
        )


def test_the_truth_predicts_what_was_held_out():
    operator = operator_cases.complex_fourier((24, 25))
    truth = random_image(operator, jax.random.key(0))
    held = Problem(operator, operator.forward(truth), 0.0)
    assert merit("held_out", None, None, truth, held) == pytest.approx(0, abs=1e-6)
    assert merit("held_out", None, None, 0 * truth, held) == -1


def test_a_reference_gives_psnr():
    images = np.random.default_rng(0).uniform(size=(2, 12, 12)).astype(np.float32)
    found = merit("psnr", None, None, images[0], reference=images[1])
    assert found == metrics.psnr(images[1], images[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("criteria")


@pytest.fixture(scope="module")
def scan(folder):
    """Write k-space of two images, and no reference."""
    rng = np.random.default_rng(0)
    mask = np.zeros(120, np.float32)
    mask[54:66] = mask[::5] = 1
    images = np.zeros((2, 120, 120))
    images[:, 30:90, 40:80] = rng.uniform(0.5, 1, (2, 60, 40))
    kspace = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(images), norm="ortho"))
    with h5py.File(folder / "scan.h5", "w") as file:
        file["kspace"] = (kspace * mask).astype(np.complex64)
        file["mask"] = mask
    return folder / "scan.h5"


def sweep_of(scan, out, *words):
    prior = tiny.write_prior(out.parent)
    return command_server.run(
        "sweep",
        *("--config", f"{ROOT}/mri_brats.py:smoke", f"--workdir={out}"),
        *(f"--config.data.path={scan}", f"--config.prior.path={prior}"),
        *("--config.sampler.n_steps=2", "--config.sweep.lam=(1e-3,10.0)"),
        "--config.sampler.start=0.05",  # from the baseline: this prior knows nothing
        *words,
        cwd=out.parent,
    )


@pytest.mark.parametrize(
    "words",
    [
        ("held_out",),
        ("sure", "--config.task.noise_std=0.01"),
        ("discrepancy", "--config.task.noise_std=0.01"),
    ],
)
def test_a_scan_without_references_is_swept(scan, folder, words):
    out = folder / words[0]
    done = sweep_of(scan, out, f"--config.sweep.criterion={words[0]}", *words[1:])
    assert done.code == 0, done.err
    assert f"by {words[0]}: no reference was looked at" in done.out
    rows = tables.read(out / "sweep.csv")
    assert len(rows) == 2 and all(np.isfinite(row.merit) for row in rows)
    assert all(np.isnan(row.psnr_mean) for row in rows)
    assert (out / "sensitivity_lam.png").exists()
    assert rows[0].merit != rows[1].merit and max(row.merit for row in rows) < 1


def test_the_sampler_sees_most_measurements_and_is_judged_by_the_rest(scan, folder):
    config = load(ROOT / "mri_brats.py", "smoke")
    config.data.path, config.prior.path = str(scan), tiny.write_prior(folder)
    config.sweep.lam, config.sweep.criterion = (1e-3, 10.0), "held_out"
    made = setup.make(config, folder / "out")
    kept, held = (
        np.asarray(part.operator.mask) for part in (made.measurements, made.held_out)
    )
    assert not (kept * held).any() and kept.sum() > 3 * held.sum() > 0
    lines = int((kept + held).sum()) // 120
    assert lines == 12 + 24 - 3  # the centre block, every fifth, those of both


def test_a_program_is_asked_for_no_more_than_its_rows(scan, folder):
    config = load(ROOT / "mri_brats.py", "smoke")
    config.data.path, config.prior.path = str(scan), tiny.write_prior(folder)
    prior, measured, sampler = factory.build(config)
    evaluate = evaluation.make(
        jax.random.key(0), sampler, prior, measured, n_candidates=1, n_images=1
    )
    with pytest.raises(ValueError, match="has 1 rows, got 3 candidates"):
        evaluate(Guidance(*jnp.ones((4, 3))))


def judged(scan, folder, criterion, beyond):
    """Return what becomes of two candidates, the second with what `beyond` makes."""
    config = load(ROOT / "mri_brats.py", "smoke")
    config.data.path, config.prior.path = str(scan), tiny.write_prior(folder)
    config.task.noise_std = 0.1
    prior, measured, _ = factory.build(config)
    if criterion == criteria.REFERENCE:
        ones = np.ones((2, 120, 120), np.float32)
        measured = dataclasses.replace(measured, reference=ones)

    def sampler(key, params, problem, row):
        del key, params
        image = problem.operator.adjoint(problem.measurement)
        return jnp.where(row.zeta > 1, beyond(image), image), None

    evaluate = evaluation.make(
        jax.random.key(0),
        *(sampler, prior, measured),
        n_candidates=2,
        n_images=2,
        criterion=criterion,
        held_out=measured,
    )
    return evaluate(Guidance(jnp.array([1.0, 2.0]), *jnp.ones((3, 2))))


@pytest.mark.parametrize("criterion", ["held_out", "discrepancy", "sure"])
def test_a_diverged_image_is_never_chosen_without_a_reference(scan, folder, criterion):
    outcome = judged(scan, folder, criterion, lambda image: image * jnp.nan)
    assert np.isfinite(outcome.merit[0]).all() and (outcome.merit[1] == -np.inf).all()
    numbers = [sweeps.Numbers(zeta, 1, 1, 1) for zeta in (1.0, 2.0)]
    rows = tables.rows_of(numbers, 2, 2, outcome, np.ones(2, bool))
    assert tables.best(rows, criterion).zeta == 1.0 and rows[1].merit == -np.inf


@pytest.mark.parametrize("criterion", criteria.CRITERIA)
def test_an_image_worse_than_a_blank_one_has_diverged(scan, folder, criterion):
    """Clipped x0_hat keeps it finite."""
    outcome = judged(scan, folder, criterion, lambda image: 1e3 * image)
    np.testing.assert_array_equal(outcome.diverged, [[False] * 2, [True] * 2])


@pytest.mark.parametrize("sigma", [0.0, SIGMA])
def test_a_wrong_guess_of_what_is_held_out_is_broken_by_its_energy_alone(sigma):
    """An unrelated image is further from held-out lines than a blank one."""
    operator = operator_cases.complex_fourier((24, 25))
    truth, other = (0.2 * random_image(operator, jax.random.key(i)) for i in (1, 2))
    y = operator.forward(truth)
    noise = operator.sampled(linalg.unit_noise(jax.random.key(0), y))
    held = Problem(operator, y + sigma * noise, jnp.float32(sigma))

    def broken(image, data_residual=0.0):
        found = merit("held_out", None, held, image, held=held)
        scores = metrics.Scores(*jnp.full(3, jnp.nan))
        lost = criteria.is_broken("held_out", image, scores, data_residual, found)
        return bool(lost), float(found)

    other *= 0.9 * linalg.norm(truth) / linalg.norm(other)
    assert broken(other)[1] < -1 and not broken(other)[0]
    assert broken(3 * other)[0] and not broken(0 * other)[0]
    assert broken(other, data_residual=1.1)[0]


@pytest.mark.parametrize("criterion", ["held_out", "discrepancy", "sure"])
def test_brighter_than_white_is_broken_though_it_meets_the_data(criterion):
    scores = metrics.Scores(*jnp.full(3, jnp.nan))
    for size, want in ((1.1, True), (0.9, False)):
        image = jnp.zeros((4, 6, 2)).at[..., 1].set(size)
        assert bool(criteria.is_broken(criterion, image, scores, 0.0, 0.0)) == want


def test_sure_is_not_for_photons_that_are_not_weighed():
    config = load(ROOT / "ct_lidc.py")
    config.sweep.criterion, config.task.photons = "sure", 1e4
    noisy = types.SimpleNamespace(reference=None, noise_std=0.1)
    setup._check_criterion(config, noisy)
    config.method = "ddrm"
    with pytest.raises(ValueError, match=r"noise of one level.*ddrm does not weigh"):
        setup._check_criterion(config, noisy)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no reference to compare with; choose without one by"),
        (("--config.sweep.criterion=best",), "must be one of psnr, held_out"),
        (("--config.sweep.criterion=sure",), "rests on the noise level"),
    ],
)
def test_what_a_criterion_lacks_is_said(scan, folder, words, message):
    done = sweep_of(scan, folder / "refused", *words)
    assert done.code == 2 and message in done.err and len(done.err.splitlines()) == 1
    assert not (folder / "refused").exists()
