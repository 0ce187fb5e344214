import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal
from skimage import metrics as reference_metrics

from mgdm_jax import metrics
from mgdm_jax.data import samples

score = jax.jit(metrics.score)

UNIFORM = {"win_size": 7}
GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
SSIM_FORMS = [(metrics.ssim, UNIFORM, 3), (metrics.gaussian_ssim, GAUSSIAN, 5)]
"""Ours, scikit-image's arguments, and how far a window reaches from its centre."""


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


def test_complex_images_are_those_of_two_channels(rng):
    x, y = rng.normal(size=(2, 12, 13)) + 1j * rng.normal(size=(2, 12, 13))
    want = score(*(jnp.stack([v.real, v.imag], -1) for v in (x, y)))
    for a, b in zip(score(jnp.asarray(x), jnp.asarray(y)), want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
        assert not jnp.iscomplexobj(a)


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


@pytest.mark.parametrize(("x", "y"), list(pairs()))
@pytest.mark.parametrize(("ours", "theirs", "margin"), SSIM_FORMS)
def test_similarity_agrees_with_scikit_image_within_a_mask(ours, theirs, margin, x, y):
    """A mask leaves the map alone and chooses whose windows are averaged."""
    mask = np.zeros(x.shape, bool)
    mask[2:25, margin:30] = True
    whole, similarity = reference_metrics.structural_similarity(
        x.astype(np.float64),
        y.astype(np.float64),
        data_range=float(x.max()),
        full=True,
        **theirs,
    )
    got = jax.jit(ours)(jnp.asarray(x), jnp.asarray(y))
    assert got == pytest.approx(whole, abs=1e-5)
    inner = np.s_[margin:-margin, margin:-margin]
    expected = similarity[inner][mask[inner]].mean()
    got = jax.jit(ours)(jnp.asarray(x), jnp.asarray(y), mask=jnp.asarray(mask))
    assert got == pytest.approx(expected, abs=1e-5)
    assert got != pytest.approx(whole, abs=3e-5)


def test_gaussian_similarity_agrees_with_piq():
    """Of piq 0.8.0, `ssim(x, y, data_range=x.max())` on these in float64."""
    x, y = smooth_pair()
    got = metrics.gaussian_ssim(jnp.asarray(x), jnp.asarray(y))
    assert got == pytest.approx(0.947036, abs=5e-6)


def smooth_pair():
    i, j = np.mgrid[:48, :40].astype(np.float32)
    x = 0.5 + 0.5 * np.sin(i / 5) * np.cos(j / 3)
    y = 0.9 * x + 0.05 * np.sin(1.3 * i + 2.1 * j) + 0.05
    return x, np.clip(y, 0, x.max())


def test_masked_psnr_counts_the_mask_alone():
    x, y = next(iter(pairs()))
    mask = x > 0.1
    got = metrics.psnr(jnp.asarray(x), jnp.asarray(y), mask=jnp.asarray(mask))
    expected = reference_metrics.peak_signal_noise_ratio(
        x[mask].astype(np.float64), y[mask].astype(np.float64), data_range=x.max()
    )
    assert got == pytest.approx(expected, abs=1e-4)
    elsewhere = jnp.where(mask, y, 7.0)
    again = metrics.psnr(jnp.asarray(x), elsewhere, mask=jnp.asarray(mask))
    assert again == got


def test_correlation_agrees_with_scipy(key):
    image = np.asarray(jax.random.normal(key, (9, 12)))
    rows, columns = (1.0, 2.0, -1.0), (0.5, 0.0, 1.0, 3.0)
    got = metrics.correlate(jnp.asarray(image), rows, columns)
    window = np.outer(rows, columns)
    expected = signal.correlate2d(image.astype(np.float64), window, mode="valid")
    np.testing.assert_allclose(got, expected, atol=1e-5)


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


def test_images_smaller_than_the_gaussian_window_are_refused():
    x = jnp.ones((11, 10))
    with pytest.raises(ValueError, match=r"at least 11 by 11 pixels, got .*\(11, 10\)"):
        metrics.gaussian_ssim(x, x)


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


@pytest.mark.parametrize("n", [8, 16])
def test_bootstrap_covers_the_mean_and_repeats(n):
    """Of a few as of many; plain percentiles cover 0.89 and 0.93."""
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(2000):
        differences = rng.normal(0.3, 1.0, n)
        low, high = metrics.bootstrap_interval(
            differences, seed=trial, n_resamples=1000
        )
        assert low < differences.mean() < high
        covered += low < 0.3 < high
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)
    again = metrics.bootstrap_interval(differences, seed=1999, n_resamples=1000)
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
