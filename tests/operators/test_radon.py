import helpers
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage import data, transform

from mgdm_jax.operators import projection, radon, rotation, sparse_views, spectrum


def views(n):
    return np.arange(n) * 180.0 / n


def phantom(size):
    image = transform.resize(data.shepp_logan_phantom(), (size, size))
    return (image * projection.inscribed_circle(size)).astype(np.float32)


@pytest.mark.parametrize("size", [8, 9])
def test_matrix_equals_scikit_image(size):
    angles = np.array([0.0, 12.3, 45.0, 90.0, 135.0, 171.1, 180.0, -30.0])
    got = projection.matrix(np.deg2rad(angles), size).toarray()
    inside = projection.inscribed_circle(size).ravel()
    for pixel in range(size**2):
        unit = np.zeros(size**2)
        unit[pixel] = inside[pixel]
        unit = unit.reshape(size, size)
        want = transform.radon(unit, angles, circle=True).T.ravel()
        np.testing.assert_allclose(got[:, pixel], want, atol=1e-10)


def test_operator_equals_scikit_image_in_pixel_units():
    image, angles = phantom(32), views(7)
    op = radon.parallel_beam(angles, 32)
    want = transform.radon(image, angles, circle=True).T
    np.testing.assert_allclose(helpers.forward(op, image) * op.scale, want, atol=2e-5)


def test_disc_has_its_chord_lengths():
    size, radius = 64, 20.0
    fine = (np.arange(size * 8) + 0.5) / 8 - 0.5 - size // 2
    disc = (fine[:, None] ** 2 + fine[None] ** 2 <= radius**2).astype(np.float32)
    disc = disc.reshape(size, 8, size, 8).mean((1, 3))
    op = radon.parallel_beam([0.0, 20.0, 67.0, 90.0, 140.0], size)
    offset = np.arange(size) - size // 2
    chord = 2 * np.sqrt(np.maximum(radius**2 - offset**2, 0))
    sinogram = np.asarray(helpers.forward(op, disc) * op.scale)
    inner = np.abs(offset) < radius - 2
    np.testing.assert_allclose(
        sinogram[:, inner], np.tile(chord[inner], (5, 1)), atol=0.7
    )
    assert np.abs(sinogram - chord).mean() < 0.25
    np.testing.assert_allclose(sinogram.sum(1), np.pi * radius**2, rtol=5e-3)


@pytest.mark.parametrize(("size", "n_views"), [(24, 10), (25, 9), (70, 30)])
def test_fbp_equals_iradon(size, n_views):
    angles = views(n_views)
    sinogram = np.random.default_rng(0).normal(size=(n_views, size))
    op = radon.parallel_beam(angles, size)
    want = transform.iradon(sinogram.T, angles, filter_name="ramp", circle=True)
    measurement = jnp.asarray(sinogram, jnp.float32) / op.scale
    got = jax.jit(radon.fbp)(op, measurement)
    np.testing.assert_allclose(got, want, atol=2e-5 * np.abs(want).max())


def test_sinogram_made_by_scikit_image_reconstructs():
    image, angles = phantom(40), views(32)
    sinogram = transform.radon(image, angles, circle=True).T
    op = radon.parallel_beam(angles, 40)
    y = jnp.asarray(sinogram, jnp.float32) / op.scale

    def psnr(estimate):
        return -10 * np.log10(np.mean((np.asarray(estimate) - image) ** 2))

    assert psnr(jax.jit(radon.fbp)(op, y)) > 22
    op = radon.with_dual_spectrum(op, None)
    exact = helpers.prox_jit(op, jnp.zeros(op.image_shape), y, jnp.float32(1e-4))
    assert psnr(exact) > 28


def test_nothing_outside_the_circle(key):
    op = radon.parallel_beam(views(4), 10)
    outside = ~projection.inscribed_circle(10)
    assert not helpers.forward(op, np.float32(outside)).any()
    y = helpers.random_measurement(op, key)
    assert not np.asarray(helpers.adjoint(op, y))[outside].any()


@pytest.mark.parametrize("lam", [1e-4, 1e-3, 1e-2, 1.0])
def test_prox_is_stationary_in_float32(key, lam):
    """40 pixels, 12 views, 1 % noise; at 160 and 23 views 3e-6 was measured."""
    op = radon.with_dual_spectrum(radon.parallel_beam(views(12), 40), None)
    y = np.asarray(helpers.forward(op, phantom(40)))
    y = y + 0.01 * np.abs(y).max() * np.asarray(helpers.normal(key, y.shape))
    x = phantom(40) + 0.1 * np.asarray(helpers.random_image(op, key))
    lam = jnp.float32(lam)
    gradient = helpers.prox_gradient(op, helpers.prox_jit(op, x, y, lam), x, y, lam)
    assert np.linalg.norm(gradient) < 1e-5 * np.linalg.norm(helpers.adjoint(op, y))


def test_sparse_form_is_the_operator(key):
    op = radon.parallel_beam(views(5), 11)
    x = helpers.random_image(op, key)
    want = radon.to_sparse(op) @ np.asarray(x).ravel()
    got = np.ravel(helpers.forward(op, x))
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_without_spectrum_names_cg():
    op = radon.parallel_beam(views(3), 8)
    gain = spectrum.proximal_gain(jnp.float32(1.0))
    with pytest.raises(ValueError, match="conjugate gradients"):
        op.spectral_filter(gain, jnp.zeros((3, 8)))


@pytest.mark.parametrize(
    ("angles", "size", "message"),
    [
        ([[0.0]], 8, "angles_deg"),
        ([], 8, "angles_deg"),
        ([np.nan], 8, "angles_deg"),
        ([0.0], 1, "size must be"),
    ],
)
def test_constructor_refuses(angles, size, message):
    with pytest.raises(ValueError, match=message):
        radon.parallel_beam(angles, size)


@pytest.mark.parametrize("size", [7, 12, 33])
def test_computed_weights_are_the_stored_ones(size, key, monkeypatch):
    angles = [0.0, 20.0, 45.0, 67.3, 90.0, 120.0, 179.5]
    stored = radon.parallel_beam(angles, size)
    monkeypatch.setattr(radon, "MAX_STORED", 3 * size**2 * len(angles) - 1)
    computed = radon.parallel_beam(angles, size)
    assert stored.is_stored and not computed.is_stored
    assert float(computed.scale) == pytest.approx(float(stored.scale), rel=1e-5)
    matrices = [helpers.dense_matrix(op) for op in (stored, computed)]
    np.testing.assert_allclose(*matrices, atol=2e-6)
    rays = np.eye(stored.n_rows, dtype=np.float32).reshape(-1, len(angles), size)
    images = [jax.jit(jax.vmap(op.adjoint))(rays) for op in (stored, computed)]
    np.testing.assert_allclose(*images, atol=2e-6)
    sparse = radon.to_sparse(computed).toarray()
    np.testing.assert_allclose(sparse, matrices[0], atol=2e-6)
    y = helpers.random_measurement(stored, key)
    fbp = jax.jit(radon.fbp)
    np.testing.assert_allclose(fbp(computed, y), fbp(stored, y), rtol=1e-5, atol=1e-5)


def test_the_norm_of_computed_weights_is_one_loop():
    """Of steps written out each would be compiled for itself."""
    scan = rotation.Views(jnp.eye(2), jnp.float32(1), 8)
    steps = jax.make_jaxpr(rotation.norm)(scan).eqns
    assert sum(step.primitive.name in ("scan", "while") for step in steps) == 1


def test_computed_weights_take_the_memory_of_one_image():
    """Not of the views: the program of ten times as many works in no more."""
    taken = []
    for n_views in (10, 100):
        op = radon.parallel_beam(views(n_views), 64, stored=False)
        program = jax.jit(lambda op, x: op.adjoint(op.forward(x)))
        account = program.lower(op, jnp.zeros((64, 64))).compile().memory_analysis()
        taken.append(account.temp_size_in_bytes)
    sinogram = 4 * 90 * 64
    assert taken[1] - taken[0] < 4 * sinogram
    weights = 16 * 3 * 64**2 * 100
    assert taken[1] < weights / 10


def test_sparse_views_baseline_is_the_few_views_fbp(key):
    operator = sparse_views.sparse_views(3, 16, n_full=12)
    few = radon.parallel_beam(np.arange(3) * 60.0, 16)
    y = helpers.forward(few, jax.random.uniform(key, (16, 16)))
    got, want = jax.jit(
        lambda: (operator.baseline(operator.placed(y)), few.baseline(y))
    )()
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)
