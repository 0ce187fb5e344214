"""Circular harmonics: exact on what turns, close to A Aᵀ on pixels."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from helpers import forward

from mgdm_jax import defaults, measurements
from mgdm_jax.guidance import proximal
from mgdm_jax.operators import harmonics, linalg, radon, spectrum
from mgdm_jax.types import Problem


def views(n, first=0.0):
    return first + np.arange(n) * (180 / n)


def turned(sinogram):
    """Return the sinogram of an image turned by one view's step."""
    return np.concatenate([sinogram[1:], sinogram[:1, ::-1]])


def mirrored(sinogram):
    """Return the sinogram of an image mirrored in the first view's axis."""
    return np.concatenate([sinogram[:1], sinogram[:0:-1, ::-1]])


def round_matrix(n_views, size, rng):
    """Return an A that turns and mirrors commute with: random columns and all theirs.

    Of an even number of detectors the first has no mirror image; it sees nothing.
    """
    columns = []
    for _ in range(3):
        sinogram = rng.normal(size=(n_views, size))
        sinogram[:, : 1 - size % 2] = 0
        padded = np.pad(sinogram, ((0, 0), (0, 1 - size % 2)))
        for _ in range(2 * n_views):
            columns += [padded[:, :size].ravel(), mirrored(padded)[:, :size].ravel()]
            padded = turned(padded)
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("size", [6, 7])
@pytest.mark.parametrize("n_views", [1, 4, 7])
def test_exact_where_turns_commute_with_the_matrix(n_views, size, rng, monkeypatch):
    monkeypatch.setattr(harmonics, "FLOOR", 0.0)
    a, lam = round_matrix(n_views, size, rng), 0.3
    views = [scipy.sparse.csr_array(view) for view in np.split(a, n_views)]
    get = views.__getitem__
    eigen = harmonics.decompose(get, n_views, size, lambda: "", None)
    r = rng.normal(size=(n_views, size))
    want = np.linalg.solve(a @ a.T + lam * np.eye(len(a)), r.ravel())
    got = jax.jit(harmonics.solve)(eigen, jnp.float32(lam), jnp.asarray(r, jnp.float32))
    np.testing.assert_allclose(np.ravel(got), want, atol=1e-5)


@pytest.mark.parametrize("size", [9, 10])
def test_symmetric_and_positive_definite(size):
    """At λ = 0 as well: conjugate gradients ask for no less."""
    op = radon.with_harmonics(radon.parallel_beam(views(6, 11.0), size), None)
    n = op.n_rows
    unit = jnp.eye(n).reshape(n, 6, size)
    solve = jax.jit(
        jax.vmap(lambda r: harmonics.solve(op.harmonics, jnp.float32(0), r))
    )
    inverse = np.float64(solve(unit)).reshape(n, n)
    np.testing.assert_allclose(inverse, inverse.T, rtol=1e-5, atol=1e-2)
    assert np.linalg.eigvalsh((inverse + inverse.T) / 2).min() > 0.5


@functools.partial(jax.jit, static_argnums=0)
def solved(preconditioned, op, r, lam):
    """Return z of (A Aᵀ + λ) z = r, and what is left of r."""

    def dual(z):
        return op.forward(op.adjoint(z)) + lam * z

    def precondition(z):
        return harmonics.solve(op.harmonics, lam, z) if preconditioned else z

    done = linalg.conjugate_gradient(
        dual, r, jnp.zeros_like(r), 1000, precondition=precondition
    )
    return done, r - dual(done.x)


@pytest.mark.parametrize("lam", [1e-1, 1e-2, 1e-3, 1e-4])
def test_at_most_a_third_of_the_products(lam, key):
    op = radon.with_harmonics(radon.parallel_beam(views(60), 64), None)
    x = jax.scipy.signal.convolve(
        jax.random.normal(key, (64, 64)), jnp.full((5, 5), 0.2), mode="same"
    )
    r = forward(op, x)
    plain, _ = solved(False, op, r, jnp.float32(lam))
    quick, left = solved(True, op, r, jnp.float32(lam))
    assert float(quick.relative_residual) <= 1e-5
    assert 3 * int(quick.iterations) <= int(plain.iterations)
    assert np.linalg.norm(left) / np.linalg.norm(r) < 3e-5


def test_weights_that_are_computed_have_the_same(monkeypatch, tmp_path):
    """To rounding, and a scan too large to hold takes them by itself."""
    stored, computed = (
        radon.with_harmonics(radon.parallel_beam(views(5), 9, stored=stored), None)
        for stored in (True, False)
    )
    for eigen in (stored.harmonics, computed.harmonics):
        assert eigen.values.shape == (6, 5)
    r = jnp.ones((5, 9))
    one, two = (
        jax.jit(harmonics.solve)(op.harmonics, jnp.float32(0.1), r)
        for op in (stored, computed)
    )
    np.testing.assert_allclose(one, two, rtol=1e-4)
    monkeypatch.setattr(spectrum, "MAX_DUAL_ROWS", 0)
    monkeypatch.setenv("MGDM_JAX_CACHE", str(tmp_path))
    config = defaults.reconstruction()
    plain = radon.parallel_beam(views(5), 9, stored=False)
    assert measurements.with_spectrum(plain, config).harmonics is not None
    monkeypatch.setattr(harmonics, "MOST_NUMBERS", 6 * 5**2 - 1)
    assert measurements.with_spectrum(plain, config).harmonics is None


def test_evenly_spread():
    def spread(angles):
        angles = np.deg2rad(angles)
        return harmonics.evenly_spread(np.stack([np.cos(angles), np.sin(angles)], 1))

    assert spread(views(9, 33.0))
    assert spread(-views(9))
    assert not spread(2 * views(9))
    assert not spread(np.delete(views(9), 4))
    with pytest.raises(ValueError, match=r"equal steps over 180 degrees.*3 views"):
        radon.with_harmonics(radon.parallel_beam([0, 10, 20], 8), None)


def test_kept_beside_the_dual_spectrum(tmp_path, monkeypatch):
    op = radon.parallel_beam(views(4), 8)
    radon.with_dual_spectrum(op, tmp_path)
    first = radon.with_harmonics(op, tmp_path)
    assert {p.name.split("-")[0] for p in tmp_path.iterdir()} == {"dual", "harmonics"}
    monkeypatch.setattr(harmonics, "_mean_blocks", None)
    second = radon.with_harmonics(op, tmp_path)
    np.testing.assert_array_equal(first.harmonics.vectors, second.harmonics.vectors)


@pytest.mark.parametrize("angles", [views(5), [0.0, 50.0, 110.0]])
def test_taken_where_the_spectrum_is_out_of_reach(angles, monkeypatch, tmp_path):
    monkeypatch.setattr(spectrum, "MAX_DUAL_ROWS", 0)
    monkeypatch.setenv("MGDM_JAX_CACHE", str(tmp_path))
    op = radon.parallel_beam(angles, 8)
    got = measurements.with_spectrum(op, defaults.reconstruction())
    assert not got.has_spectrum
    assert (got.harmonics is not None) == (len(angles) == 5)


def test_an_impossible_sinogram_without_weight(key):
    """λ = 0 and a y that no image has: a least-squares solution, nothing infinite."""
    op = radon.with_harmonics(radon.parallel_beam(views(12), 16), None)
    y = jax.random.normal(key, (12, 16))
    zero = jnp.zeros(op.image_shape)
    x = jax.jit(proximal.harmonic(400))(Problem(op, y), zero, jnp.float32(0))
    gap = jax.jit(proximal.gap)(Problem(op, y), zero, x, jnp.float32(0))
    assert float(gap) < 1e-2


def test_point_and_gradient_are_those_of_the_spectrum(key):
    op = radon.with_dual_spectrum(radon.parallel_beam(views(8, 5.0), 12), None)
    op = radon.with_harmonics(op, None)
    x, truth, cotangent = jax.random.normal(key, (3, 12, 12))
    problem, lam = Problem(op, forward(op, truth)), jnp.float32(0.01)

    def point_and_gradient(solve):
        point, pullback = jax.vjp(lambda x: solve(problem, x, lam), x)
        change = proximal.change_gradient(solve, problem, x, point, lam)
        return point, pullback(cotangent)[0], change

    got = jax.jit(lambda: point_and_gradient(proximal.harmonic(200, 1e-7)))()
    want = jax.jit(lambda: point_and_gradient(proximal.spectral))()
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
