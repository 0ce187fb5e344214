import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage import metrics as reference_metrics

from mgdm_jax import metrics
from mgdm_jax.data import samples

score = jax.jit(metrics.score)


def pairs():
    """Slices with noise, blur, another scale, and little contrast."""
    rng = np.random.default_rng(0)
    brain = samples.load_volume("brain", "train", "s1")[30]
    chest = samples.load_volume("chest", "train", "lung1")[20]
    flat = (0.9 + 0.001 * rng.normal(size=(30, 41))).astype(np.float32)
    for image, noise in (
        (brain, 0.05),
        (chest, 0.002),
        (300 * brain, 10),
        (flat, 1e-3),
    ):
        yield image, (image + noise * rng.normal(size=image.shape)).astype(np.float32)


@pytest.mark.parametrize(("x", "y"), list(pairs()))
def test_agrees_with_scikit_image(x, y):
    x64, y64, peak = x.astype(np.float64), y.astype(np.float64), float(x.max())
    got = score(jnp.asarray(x), jnp.asarray(y))
    expected = reference_metrics.structural_similarity(
        x64, y64, win_size=7, data_range=peak
    )
    assert got.ssim == pytest.approx(expected, abs=1e-5)
    expected = reference_metrics.peak_signal_noise_ratio(x64, y64, data_range=peak)
    assert got.psnr == pytest.approx(expected, abs=1e-4)
    root = reference_metrics.normalized_root_mse(x64, y64)
    assert got.nmse == pytest.approx(root**2, rel=1e-4)


def test_given_range_replaces_the_maximum():
    x, y = (jnp.asarray(a) for a in next(iter(pairs())))
    shift = 20 * np.log10(3 / float(x.max()))
    assert metrics.psnr(x, y, jnp.float32(3)) == pytest.approx(
        float(metrics.psnr(x, y)) + shift, abs=1e-4
    )
    expected = reference_metrics.structural_similarity(
        np.asarray(x, np.float64), np.asarray(y, np.float64), win_size=7, data_range=3
    )
    assert metrics.ssim(x, y, jnp.float32(3)) == pytest.approx(expected, abs=1e-5)


def test_complex_images_are_compared_by_magnitude():
    x, y = next(iter(pairs()))
    angle = np.float32(0.7)

    def turned(image, turn):
        return jnp.stack([image * np.cos(turn), image * np.sin(turn)], -1)

    got = score(turned(x, angle), turned(y, -angle))
    expected = score(jnp.asarray(x), jnp.abs(jnp.asarray(y)))
    np.testing.assert_allclose(got, expected, rtol=1e-4)


def test_vmap_is_the_loop():
    x, y = (jnp.asarray(np.stack([a, a[::-1] / 2])) for a in next(iter(pairs())))
    batched = jax.jit(jax.vmap(metrics.score))(x, y)
    for i in range(2):
        single = score(x[i], y[i])
        np.testing.assert_allclose([m[i] for m in batched], single, rtol=1e-5)


def test_equal_images():
    x = jnp.asarray(next(iter(pairs()))[0])
    got = score(x, x)
    assert np.isposinf(got.psnr) and got.ssim == pytest.approx(1) and got.nmse == 0


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((8, 8), (8, 9)), r"must have the reference's shape \(8, 8\), got \(8, 9\)"),
        (((8, 8, 3), (8, 8, 3)), r"\[h, w\] or \[h, w, 2\], got shape \(8, 8, 3\)"),
        (((6, 8), (6, 8)), r"at least 7 by 7 pixels, got shape \(6, 8\)"),
    ],
)
def test_wrong_shapes_are_named(shapes, message):
    with pytest.raises(ValueError, match=message):
        metrics.score(*(jnp.ones(shape) for shape in shapes))


def test_bootstrap_covers_the_mean_and_repeats():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        differences = rng.normal(0.3, 1.0, 40)
        low, high = metrics.bootstrap_interval(
            differences, seed=trial, n_resamples=1000
        )
        assert low < differences.mean() < high
        covered += low < 0.3 < high
    assert 0.89 < covered / 200 < 0.99
    again = metrics.bootstrap_interval(differences, seed=199, n_resamples=1000)
    assert again == (low, high)


@pytest.mark.parametrize(
    ("differences", "level", "message"),
    [
        (np.ones(1), 0.95, "must be"),
        (np.ones((3, 2)), 0.95, "must be"),
        (np.ones(3), 95.0, "level must lie in"),
    ],
)
def test_bootstrap_refuses(differences, level, message):
    with pytest.raises(ValueError, match=message):
        metrics.bootstrap_interval(differences, seed=0, level=level)
