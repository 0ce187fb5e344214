import numpy as np
import pytest
from skimage.transform import resize as skimage_resize

from mgdm_jax.data import resize


@pytest.mark.parametrize("have", [(6, 9), (7, 8)])
@pytest.mark.parametrize("want", [(4, 4), (5, 12), (11, 7)])
def test_cropping_keeps_the_centre_of_a_transform(have, want):
    image = np.zeros((1, *have))
    image[0, have[0] // 2, have[1] // 2] = 1
    out = resize.crop_or_pad(image, want)
    assert out.shape == (1, *want) and out.sum() == 1
    assert out[0, want[0] // 2, want[1] // 2] == 1


def test_padding_then_cropping_gives_back(rng):
    image = rng.random((2, 5, 8))
    padded = resize.crop_or_pad(image, (12, 9))
    np.testing.assert_array_equal(resize.crop_or_pad(padded, (5, 8)), image)
    assert padded.sum() == image.sum()


@pytest.mark.parametrize("want", [(20, 20), (40, 50)])
def test_resampling_is_scikit_images(rng, want):
    image = rng.random((1, 32, 32))
    independent = skimage_resize(
        image[0], want, order=1, mode="edge", anti_aliasing=True
    )
    ours = resize.resample(image, want)[0]
    np.testing.assert_allclose(ours, independent, atol=1e-6)
