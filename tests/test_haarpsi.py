"""HaarPSI against its formula written out, another implementation, and its laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal
from test_metrics import smooth_pair

from mgdm_jax import haarpsi
from mgdm_jax.data import samples

score = jax.jit(haarpsi.haarpsi)


def brain():
    return samples.load_volume("brain", "train", "s1")[30]


def noise(shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def dense(x, y, peak):
    """The formula in float64, through full two-dimensional convolutions."""
    scale = 255 / peak
    halves = [whole(scale * image, np.full((2, 2), 0.25))[::2, ::2] for image in (x, y)]
    similarity, weights = [], []
    for turn in (np.asarray, np.transpose):
        a, b = ([np.abs(whole(v, turn(f))) for f in filters()] for v in halves)
        terms = [(2 * a[k] * b[k] + 30) / (a[k] ** 2 + b[k] ** 2 + 30) for k in (0, 1)]
        similarity.append(sum(terms) / 2)
        weights.append(np.maximum(a[2], b[2]))
    squashed = 1 / (1 + np.exp(-4.2 * np.array(similarity)))
    mean = np.average(squashed, weights=np.array(weights))
    return (np.log(mean / (1 - mean)) / 4.2) ** 2


def filters():
    for width in (2, 4, 8):
        yield np.kron([[1], [-1]], np.ones((width // 2, width))) / width


def whole(image, window):
    """MATLAB's conv2(image, window, 'same')."""
    start = window.shape[0] // 2
    h, w = image.shape
    return signal.convolve2d(image, window)[start : start + h, start : start + w]


@pytest.mark.parametrize("size", [(120, 120), (97, 120), (64, 33)])
def test_is_its_formula(size):
    x = brain()[: size[0], : size[1]]
    y = x + 0.05 * noise(size)
    expected = dense(x.astype(np.float64), y.astype(np.float64), x.max())
    assert score(jnp.asarray(x), jnp.asarray(y)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("rows", "expected"), [(48, 0.9731029), (47, 0.9717901)])
def test_agrees_with_piq(rows, expected):
    """Of piq 0.8.0, `haarpsi(x, y, data_range=x.max())` on these in float64."""
    x, y = (jnp.asarray(image[:rows]) for image in smooth_pair())
    assert score(x, y) == pytest.approx(expected, abs=5e-6)


def test_equal_images_score_one_and_blank_ones_too():
    x = jnp.asarray(brain())
    assert score(x, x) == pytest.approx(1, abs=2e-6)
    blank = jnp.zeros((32, 32))
    assert score(blank, blank, jnp.float32(1)) == 1


def test_symmetric_under_one_peak():
    x = jnp.asarray(brain())
    y = x + 0.1 * noise(x.shape)
    peak = jnp.float32(0.8)
    forward, backward = score(x, y, peak), score(y, x, peak)
    assert forward == pytest.approx(float(backward), abs=1e-6)
    assert forward < 0.9


def test_falls_with_noise_and_with_the_peak():
    """Edges of few grey values are below the stabiliser: they all look alike."""
    x, e = jnp.asarray(brain()), noise((120, 120))
    falling = [float(score(x, x + level * e)) for level in (0.01, 0.03, 0.1, 0.3)]
    assert falling == sorted(falling, reverse=True) and falling[-1] < 0.5
    forgiving = score(x, x + 0.1 * e, jnp.float32(10))
    assert falling[2] + 0.1 < forgiving <= 1


def test_units_and_complex_images():
    x = brain()
    y = x + 0.05 * noise(x.shape)
    expected = score(jnp.asarray(x), jnp.abs(jnp.asarray(y)))
    turned = [jnp.stack([0.6 * a, 0.8 * a], -1) for a in (70 * x, 70 * y)]
    assert score(*turned) == pytest.approx(float(expected), abs=1e-5)


def test_vmap_is_the_loop():
    x = jnp.asarray(np.stack([brain(), brain()[::-1] / 2]))
    y = x + 0.05 * noise(x.shape)
    batched = jax.jit(jax.vmap(haarpsi.haarpsi))(x, y)
    np.testing.assert_allclose(batched, [score(x[i], y[i]) for i in (0, 1)], rtol=1e-5)


def test_small_images_are_refused():
    x = jnp.ones((15, 40))
    with pytest.raises(ValueError, match=r"at least 16 by 16 pixels, got \(15, 40\)"):
        haarpsi.haarpsi(x, x)
