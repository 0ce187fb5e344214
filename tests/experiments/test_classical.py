"""Classical solvers against dense solutions and what they are known for."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import operator_cases
import pytest
from helpers import dense_matrix, flat_real
from test_configs import ROOT, load

from experiments import rows, tune
from mgdm_jax import factory, reconstruction
from mgdm_jax.operators import fourier, masks
from mgdm_jax.types import Problem

sigpy = pytest.importorskip("sigpy")
classical = pytest.importorskip("experiments.classical", exc_type=ImportError)


@pytest.mark.parametrize("name", ["complex", "real_even", "multi_coil", "ct_even"])
def test_least_squares_is_the_dense_ridge_solution(name, key):
    op = operator_cases.SPECTRAL[name]()
    y = op.forward(jax.random.normal(key, op.image_shape))
    got = classical.least_squares(Problem(op, y), 0.1)
    matrix = dense_matrix(op)
    normal = matrix.T @ matrix + 0.1 * np.eye(matrix.shape[1])
    want = np.linalg.solve(normal, matrix.T @ flat_real(y))
    np.testing.assert_allclose(got.ravel(), want, atol=1e-4)


@pytest.mark.parametrize("name", ["tv", "wavelets"])
@pytest.mark.parametrize("is_complex", [False, True])
def test_sparsity_fills_in_what_a_mask_leaves_out(name, is_complex):
    image = np.zeros((32, 32), np.float32)
    image[8:20, 10:26] = 1
    image[12:15, 14:18] = 0.5
    shape = (32, 32, 2) if is_complex else (32, 32)
    image = np.stack([image, 0.5 * image], -1) if is_complex else image
    mask = masks.make_mask("gaussian2d", (32, 32), 2.0, 0)
    op = fourier.masked_fourier(fourier.centred_to_corner_mask(mask), shape)
    problem = Problem(op, op.forward(jnp.asarray(image)))

    def error(x):
        return np.linalg.norm(x - image) / np.linalg.norm(image)

    zero_filled = error(op.baseline(problem.measurement))
    assert error(classical.METHODS[name](problem, 3e-3)) < 0.6 * zero_filled


AFTER_COMPLEX = """
import jax, operator_cases
from experiments import classical
from mgdm_jax.types import Problem
for case in ("complex_fourier", "real_fourier"):
    op = getattr(operator_cases, case)((8, 8))
    y = op.forward(jax.random.normal(jax.random.key(0), op.image_shape))
    assert classical.total_variation(Problem(op, y), 0.1).any()
"""


def test_real_data_stay_real_after_complex_ones():
    """In a process of its own: what numba has compiled stays."""
    folder = ROOT.parent
    environment = os.environ | {"PYTHONPATH": f"{folder}:{folder / 'tests'}"}
    done = subprocess.run(
        [sys.executable, "-c", AFTER_COMPLEX],
        env=environment | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def fully_sampled(image):
    op = fourier.masked_fourier(jnp.ones(image.shape, jnp.float32), image.shape)
    return Problem(op, op.forward(jnp.asarray(image)))


def test_total_variation_of_a_step_moves_its_levels_together():
    """Half of the image at 1: each side moves by weight · jumps / pixels of the side.

    Differences are cyclic, so that every row has two jumps.
    """
    image = np.zeros((16, 16), np.float32)
    image[:, 8:] = 1
    got = classical.total_variation(fully_sampled(image), 0.4)
    np.testing.assert_allclose(got, np.where(image > 0, 0.9, 0.1), atol=1e-3)


def test_wavelets_of_a_whole_kspace_are_soft_thresholded(key):
    """As in Donoho and Johnstone 1994: A is unitary, and the transform orthonormal."""
    image = np.asarray(jax.random.normal(key, (16, 16)))
    transform = sigpy.linop.Wavelet(image.shape)
    want = transform.H * sigpy.thresh.soft_thresh(0.3, transform * image)
    got = classical.wavelets(fully_sampled(image), 0.3)
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_heavy_total_variation_is_flat(key):
    op = operator_cases.real_fourier((8, 8))
    y = op.forward(jax.random.normal(key, (8, 8)))
    assert classical.total_variation(Problem(op, y), 100.0).std() < 1e-2


def test_a_negative_weight_is_refused():
    op = operator_cases.real_fourier((8, 8))
    problem = Problem(op, jnp.zeros((8, 8), jnp.complex64))
    with pytest.raises(ValueError, match="negative"):
        classical.wavelets(problem, -1.0)


@pytest.mark.parametrize("task", ["mri_brats", "ct_lidc"])
def test_rows_of_the_tables(task, monkeypatch):
    """From the configuration to the same score as in any other row, ends left out."""
    monkeypatch.setattr(classical, "N_PRIMAL_DUAL", 60)
    config = load(ROOT / f"{task}.py", "smoke")
    config.data.split, config.data.n_images = "train", 3
    config.data.subject = "itk_mprage" if task == "mri_brats" else "lung1"
    measured = factory.load_measurements(
        config, factory.load_prior(config.prior.path).image_shape
    )
    problem = measured.problem(np.arange(3))
    baseline = problem.operator.baseline(problem.measurement[1])
    floor = reconstruction.scores(
        measured.reference[1:2], np.asarray(baseline)[None]
    ).psnr
    evaluate = tune.classical_evaluator(rows.configured(config, "tv"), 1)
    psnr = evaluate([{"lam": 1e-3}, {"lam": 10.0}])
    assert psnr[0] > floor[0] > psnr[1]
