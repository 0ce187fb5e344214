"""Inpainting, super-resolution, blur: what the laws of all operators do not say."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from mgdm_jax.operators import block_average, blur, inpainting


def test_block_average_is_k_times_the_mean(key):
    image = np.arange(24.0).reshape(4, 6)
    op = block_average.block_average((4, 6), 2)
    want = 2 * image.reshape(2, 2, 3, 2).mean((1, 3))
    np.testing.assert_allclose(op.forward(jnp.asarray(image)), want, rtol=1e-6)
    low = op.baseline(op.forward(jnp.full((4, 6), 0.7)))
    np.testing.assert_allclose(low, 0.7, rtol=1e-6)


def test_blur_is_scipy_s_periodic_gaussian():
    image = np.random.default_rng(0).random((24, 30)).astype(np.float32)
    op = blur.blur(blur.gaussian_spread((24, 30), 1.5))
    want = ndimage.gaussian_filter(image, 1.5, mode="wrap", truncate=8)
    np.testing.assert_allclose(op.forward(jnp.asarray(image)), want, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: block_average.block_average((6, 9), 2), "divide both sides"),
        (lambda: blur.gaussian_spread((4, 4), 0.0), "positive"),
        (lambda: blur.blur(np.zeros((4, 4))), "zero throughout"),
        (lambda: inpainting.inpainting(np.full((3, 3), 0.5)), "zeros and ones"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
