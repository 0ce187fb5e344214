"""Every convention against scikit-image, and the disagreements that threads report."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage
from skimage import filters
from skimage import metrics as reference_metrics
from test_haarpsi import dense as dense_haarpsi

from mgdm_jax import conventions, metrics
from mgdm_jax.data import samples

side_by_side = jax.jit(conventions.side_by_side)

GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def table(reference, estimate, scale=1.0):
    """Return `side_by_side`'s values as floats, of images of any precision."""
    scale = np.broadcast_to(scale, len(reference))
    stacks = (jnp.asarray(s, jnp.float32) for s in (reference, estimate, scale))
    return jax.tree.map(float, side_by_side(*stacks))


def phantom(n=16, size=64):
    """Return [n, size, size] textured ellipses, each of maximum 1."""
    rng = np.random.default_rng(0)
    texture = ndimage.gaussian_filter(rng.normal(size=(n, size, size)), (0, 3, 3))
    texture /= np.abs(texture).max((1, 2), keepdims=True)
    y, x = np.mgrid[:size, :size] / size - 0.5
    volume = ((y / 0.42) ** 2 + (x / 0.33) ** 2 < 1) * (0.6 + 0.4 * texture)
    return volume / volume.max((1, 2), keepdims=True)


def with_noise(volume, deviation):
    noise = np.random.default_rng(1).normal(size=volume.shape)
    return np.abs(volume + deviation * noise)


def brain_pair():
    volume = samples.load_volume("brain", "train", "s1")[[30, 50, 70]]
    volume = volume * np.array([1.0, 0.4, 0.7], np.float32)[:, None, None]
    return volume, with_noise(volume, 0.04).astype(np.float32)


def expected(x, y, masks, peaks):
    """Means over slices in float64."""
    slices = zip(x, y, masks, peaks, strict=True)
    return conventions.Measures(*np.mean([of_slice(*s) for s in slices], axis=0))


def of_slice(x, y, mask, peak):
    psnr = partial(reference_metrics.peak_signal_noise_ratio, data_range=peak)
    ssim = partial(reference_metrics.structural_similarity, data_range=peak)
    similarity = ssim(x, y, win_size=7, full=True)[1]
    return conventions.Measures(
        psnr=psnr(x, y),
        ssim_uniform7=ssim(x, y, win_size=7),
        ssim_gaussian11=ssim(x, y, **GAUSSIAN),
        nmse=reference_metrics.normalized_root_mse(x, y) ** 2,
        haarpsi=dense_haarpsi(x, y, peak),
        psnr_foreground=psnr(x[mask], y[mask]),
        ssim_foreground=similarity[3:-3, 3:-3][mask[3:-3, 3:-3]].mean(),
    )


def mapped(stack):
    least, most = stack.min((1, 2)), stack.max((1, 2))
    return (stack - least[:, None, None]) / (most - least)[:, None, None]


def test_slices_agree_with_scikit_image():
    pair = brain_pair()
    got = table(*pair)
    masks = [np.asarray(conventions.foreground(jnp.asarray(x))) for x in pair[0]]
    x, y = (stack.astype(np.float64) for stack in pair)
    want = {
        "slice-max": expected(x, y, masks, x.max((1, 2))),
        "range-1": expected(x, y, masks, np.ones(3)),
        "min-max": expected(mapped(x), mapped(y), masks, np.ones(3)),
    }
    for label, values in want.items():
        np.testing.assert_allclose(got[label], values, rtol=2e-5, err_msg=label)
    values = np.array([got[label] for label in conventions.CONVENTIONS])
    assert (np.ptp(values, axis=0) > 5e-3).all()


def test_volumes_agree_with_scikit_image_in_the_units_of_the_file():
    """fastMRI's evaluation: PSNR and NMSE of the volume, SSIM slice by slice."""
    pair, scale = brain_pair(), np.array([2.0, 9.0, 5.0])
    got = table(*pair, scale)["volume-max"]
    masks = np.array([conventions.foreground(jnp.asarray(x)) for x in pair[0]])
    x, y = (scale[:, None, None] * stack.astype(np.float64) for stack in pair)
    peak = x.max()
    psnr = reference_metrics.peak_signal_noise_ratio
    want = expected(x, y, masks, [peak] * 3)._replace(
        psnr=psnr(x, y, data_range=peak),
        nmse=reference_metrics.normalized_root_mse(x, y) ** 2,
        psnr_foreground=psnr(x[masks], y[masks], data_range=peak),
    )
    np.testing.assert_allclose(got, want, rtol=2e-5)
    units = table(*pair)["volume-max"]
    assert abs(units.psnr - got.psnr) > 0.5


def test_several_volumes_have_the_mean_of_each_ones_measures():
    (x, y), scale = brain_pair(), np.array([2.0, 900.0, 5.0, 30.0, 1.0], np.float32)
    x, y = (np.concatenate([stack, stack[:2] ** 1.5]) for stack in (x, y))
    x[4] = y[4] = 0  # a volume that is blank has no peak
    volume = np.array([1, 0, 1, 0, 4])
    got = side_by_side(*map(jnp.asarray, (x, y, scale, volume)))
    each = [table(x[i], y[i], scale[i])["volume-max"] for i in ([0, 2], [1, 3])]
    np.testing.assert_allclose(got["volume-max"], np.mean(each, axis=0), rtol=1e-5)
    whole = table(x[:4], y[:4], scale[:4])
    assert abs(whole["volume-max"].psnr - got["volume-max"].psnr) > 0.5
    for label in ("slice-max", "range-1", "min-max"):
        np.testing.assert_allclose(got[label], whole[label], rtol=1e-5)


def test_the_primary_convention_is_among_them():
    reference, estimate = (jnp.asarray(stack) for stack in brain_pair())
    mine = table(reference, estimate)[metrics.CONVENTION]
    scores = jax.vmap(metrics.score)(reference, estimate)
    means = [float(values.mean()) for values in scores]
    np.testing.assert_allclose((mine.psnr, mine.ssim_uniform7, mine.nmse), means, 1e-5)


def test_fastmri_129_volume_maximum_against_slice_maximum():
    """27.02 dB and NMSE .0421 by slices are 32.34 dB and .0323 by the volume.

    Outer slices are dimmer than the middle, of worse NMSE, and near noise of less
    error. Their own maximum sets their peak by slices; by the volume they have the
    brightest slice's, and weigh less in NMSE. Here brightness falls to a quarter, and
    the error to half: PSNR gains the mean of 20 log10(M / m_i) over slice maxima m_i,
    less what pooling errors before the logarithm costs.
    """
    brightness = 4 ** -np.linspace(0, 1, 16)
    deviation = 0.033 * np.sqrt(brightness)
    x = brightness[:, None, None] * phantom()
    y = with_noise(x, deviation[:, None, None])
    got = table(x, y)
    volume, slices = got["volume-max"], got["slice-max"]
    assert 5 < volume.psnr - slices.psnr < 6.5
    assert 1.2 < slices.nmse / volume.nmse < 1.5
    errors = ((x - y) ** 2).mean((1, 2))
    gain = np.mean(20 * np.log10(1 / brightness))
    pooling = 10 * np.log10(errors.mean()) - np.mean(10 * np.log10(errors))
    assert volume.psnr - slices.psnr == pytest.approx(gain - pooling, abs=1e-3)


def test_diffuserecon_3_one_range_for_the_volume():
    """29.94 dB and SSIM .614 are 27.41 dB and .527 to who takes a range for each slice.

    The thread names no cause; its script standardises each slice, so that tissue is
    alike everywhere, and takes one range for the volume: the brightest vessel's. A
    larger range raises PSNR, and SSIM through its stabilising constants as well
    (LISTatSNU/FastMRI_challenge#217 asks which of both to train with).
    """
    x = phantom()
    vessels = np.linspace(1.5, 2.85, 16)
    x[:, 30:33, 30:33] = vessels[:, None, None]
    got = table(x, with_noise(x, 0.09))
    volume, slices = got["volume-max"], got["slice-max"]
    assert slices.psnr == pytest.approx(27.4, abs=0.3)
    assert volume.psnr - slices.psnr == pytest.approx(2.5, abs=0.2)
    assert slices.ssim_uniform7 == pytest.approx(0.53, abs=0.03)
    assert volume.ssim_uniform7 > slices.ssim_uniform7 + 0.03
    assert volume.ssim_foreground > slices.ssim_foreground + 0.03


def test_cmrxrecon_11_one_bright_pixel():
    """An outlier of three times the maximum: its own error, or everybody else's.

    Divided by its own maximum, as in that challenge, the estimate is a third of itself
    everywhere: (2/3)² of all energy is error. Under the reference's peak, one pixel.
    """
    x = phantom()
    y = with_noise(x, 0.05)
    before = table(x, y)
    y[:, 32, 32] = 3
    after = table(x, y)
    lost = {k: before[k].psnr - after[k].psnr for k in conventions.CONVENTIONS}
    assert lost["slice-max"] < 2 and lost["volume-max"] < 2
    assert lost["min-max"] > 7
    assert after["slice-max"].nmse < 0.03
    assert after["min-max"].nmse == pytest.approx(4 / 9, abs=0.03)


def test_min_max_lifts_the_background_of_an_estimate_below_zero():
    """Real-valued images may dip below zero; SSIM sees that air is no longer black."""
    x = phantom()
    y = x.copy()
    y[:, 32, 32] = -0.2
    got = table(x, y)
    assert got["slice-max"].ssim_uniform7 > 0.97
    assert got["min-max"].ssim_uniform7 < 0.7


def test_min_max_forgives_gain_and_offset_and_the_others_do_not():
    x = phantom()
    got = table(x, 0.8 * x + 0.1)
    assert got["min-max"].psnr > 100 and got["min-max"].ssim_uniform7 > 0.9999
    assert got["min-max"].haarpsi > 0.9999
    for label in ("volume-max", "slice-max", "range-1"):
        assert got[label].psnr < 25 and got[label].ssim_uniform7 < 0.95


def test_range_1_differs_by_the_maxima_of_the_slices():
    """Whoever scales a volume by a percentile has slices of any maximum."""
    maxima = np.linspace(0.5, 1.6, 16)
    x = maxima[:, None, None] * phantom()
    got = table(x, with_noise(x, 0.05))
    gap = got["range-1"].psnr - got["slice-max"].psnr
    assert gap == pytest.approx(-np.mean(20 * np.log10(maxima)), abs=1e-4)


def test_background_flatters():
    """Air without error halves the mean squared error where it is half the image."""
    x = phantom()
    inside = np.array([conventions.foreground(jnp.asarray(a)) for a in x])
    got = table(x, np.where(inside, with_noise(x, 0.05), x))["slice-max"]
    gain = got.psnr - got.psnr_foreground
    assert gain == pytest.approx(-10 * np.log10(inside.mean()), abs=0.05)
    assert gain > 3
    assert got.ssim_foreground < got.ssim_uniform7 - 0.05


def test_foreground_is_what_exceeds_a_tenth_and_what_that_encloses():
    image, box = np.full((7, 9), 0.09), np.zeros((7, 9), bool)
    box[1:6, 2:7] = True
    image[box] = 0.11
    image[1, 2], image[3, 4] = 1, 0
    np.testing.assert_array_equal(conventions.foreground(jnp.asarray(image)), box)


@pytest.mark.parametrize(
    ("modality", "subject", "index"),
    [("brain", "s1", 30), ("brain", "s1", 75), ("chest", "lung1", 20)],
)
def test_foreground_is_that_of_otsu_with_holes_filled(modality, subject, index):
    """Lungs and ventricles, dark as they are, are within; air around is not."""
    image = samples.load_volume(modality, "train", subject)[index]
    bright = image > filters.threshold_otsu(image)
    filled = ndimage.binary_fill_holes(bright)
    got = np.asarray(conventions.foreground(jnp.asarray(image)))
    assert (got != filled).mean() < 0.03
    assert (got & filled & ~bright).sum() > 0.9 * (filled & ~bright).sum() > 50


def test_blank_slices_are_left_out_and_count_for_the_volume():
    x, y = (stack[[0, 0, 0]] for stack in brain_pair())
    full = table(x, y)
    x[2], y[2] = 0, 0
    got = table(x, y)
    for label in ("slice-max", "range-1", "min-max"):
        np.testing.assert_allclose(got[label], full[label], rtol=1e-5)
    gain = got["volume-max"].psnr - full["volume-max"].psnr
    assert gain == pytest.approx(10 * np.log10(3 / 2), abs=1e-4)
    assert np.isnan(table(0 * x, y)["slice-max"]).all()


def test_a_blank_estimate_has_numbers():
    """What diverged is written blank: no range to map by, no edges."""
    x, _ = brain_pair()
    got = table(x, np.zeros_like(x))
    assert np.isfinite([got[label] for label in conventions.CONVENTIONS]).all()
    assert got["slice-max"].nmse == got["min-max"].nmse == 1


def test_complex_images_are_compared_by_magnitude():
    x, y = brain_pair()
    turned = [np.stack([a * np.cos(t), a * np.sin(t)], -1) for a, t in ((x, 1), (y, 2))]
    got, want = side_by_side(*map(jnp.asarray, turned)), table(x, y)
    for label in conventions.CONVENTIONS:
        np.testing.assert_allclose(got[label], want[label], rtol=1e-4)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\[h, w\] or \[h, w, 2\]"):
        conventions.side_by_side(jnp.ones((2, 16, 16, 3)), jnp.ones((2, 16, 16, 3)))
