import jax
import jax.numpy as jnp
import numpy as np
import operator_cases
import pytest
from helpers import dense_matrix, flat_real, prox, random_image

from mgdm_jax.operators import fourier

SHAPES = [(4, 6), (5, 7), (6, 5), (5, 4)]


def dft(n):
    """Return the orthonormal DFT matrix, float64, written out."""
    k = np.arange(n)
    return np.exp(-2j * np.pi * np.outer(k, k) / n) / np.sqrt(n)


def complex_samples(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_matrix_is_the_masked_dft(shape):
    mask = operator_cases.random_mask(shape)
    transform = mask.reshape(-1, 1) * np.kron(dft(shape[0]), dft(shape[1]))
    want = np.concatenate([transform.real, transform.imag])
    got = dense_matrix(fourier.masked_fourier(mask, shape))
    np.testing.assert_allclose(got, want, atol=1e-6)
    # [h, w, 2]: real and imaginary parts are interleaved columns.
    got = dense_matrix(fourier.masked_fourier(mask, (*shape, 2)))
    imaginary = np.concatenate([-transform.imag, transform.real])
    np.testing.assert_allclose(got[:, 0::2], want, atol=1e-6)
    np.testing.assert_allclose(got[:, 1::2], imaginary, atol=1e-6)


def test_real_prox_is_not_the_real_part_of_the_complex_one(key):
    """Only one of ±k sampled, λ -> 0: the exact answer keeps Y, the usual (Y+X)/2."""
    mask = np.zeros((6, 6), np.float32)
    mask[1, 2] = 1
    real = fourier.masked_fourier(mask, (6, 6))
    x = random_image(real, key)
    y = real.forward(2.0 * random_image(real, jax.random.fold_in(key, 1)))
    exact = prox(real, x, y, jnp.float32(0.0))
    np.testing.assert_allclose(real.forward(exact), y, atol=1e-6)
    complex_op = fourier.masked_fourier(mask, (6, 6, 2))
    channels = jnp.stack([x, jnp.zeros_like(x)], -1)
    usual = prox(complex_op, channels, y, jnp.float32(0.0))[..., 0]
    assert jnp.abs(real.forward(usual) - y).max() > 0.1


@pytest.mark.parametrize("shape", SHAPES)
def test_negated_frequencies_of_a_real_image_are_conjugate(shape):
    spectrum = np.fft.fft2(np.random.default_rng(0).normal(size=shape))
    got = fourier.negate_frequencies(jnp.asarray(spectrum, jnp.complex64))
    np.testing.assert_allclose(got, spectrum.conj(), atol=1e-5)


@pytest.mark.parametrize("shape", [*SHAPES, (3, 5, 8), (2, 3, 4, 5)])
def test_centred_kspace_is_fastmri_fft2c(shape):
    image = complex_samples(shape)
    axes = (-2, -1)
    centred = np.fft.fftshift(
        np.fft.fft2(np.fft.ifftshift(image, axes), norm="ortho"), axes
    )
    corner = np.fft.fft2(image, norm="ortho")
    got = fourier.centred_to_corner(centred)
    assert got.dtype == jnp.complex64
    np.testing.assert_allclose(got, corner, atol=2e-6)
    np.testing.assert_allclose(fourier.corner_to_centred(corner), centred, atol=2e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_conversion_keeps_zeros_and_moves_masks_alike(shape):
    mask = operator_cases.random_mask(shape)
    kspace = complex_samples(shape) * mask
    corner = fourier.centred_to_corner(kspace)
    moved = fourier.centred_to_corner_mask(mask)
    assert ((np.asarray(corner) != 0) == (moved > 0)).all()
    assert (fourier.corner_to_centred_mask(moved) == mask).all()
    np.testing.assert_allclose(fourier.corner_to_centred(corner), kspace, atol=1e-6)


def test_even_sizes_convert_exactly():
    kspace = complex_samples((4, 6)).astype(np.complex64)
    there_and_back = fourier.corner_to_centred(fourier.centred_to_corner(kspace))
    assert (np.asarray(there_and_back) == kspace).all()


def test_full_mask_is_unitary(key):
    op = fourier.masked_fourier(np.ones((5, 6)), (5, 6, 2))
    x = random_image(op, key)
    np.testing.assert_allclose(op.adjoint(op.forward(x)), x, atol=1e-6)
    energy = np.linalg.norm(flat_real(op.forward(x))), np.linalg.norm(flat_real(x))
    np.testing.assert_allclose(*energy, rtol=1e-6)


@pytest.mark.parametrize(
    ("mask", "shape", "message"),
    [
        (np.ones((3, 4)), (4, 3), "mask must have shape"),
        (np.full((3, 4), 0.5), (3, 4), "zeros and ones"),
        (np.ones((3, 4)), (3, 4, 3), "image_shape must be"),
        (np.ones(3), (3,), "image_shape must be"),
    ],
)
def test_constructor_refuses(mask, shape, message):
    with pytest.raises(ValueError, match=message):
        fourier.masked_fourier(mask, shape)


def test_conversion_refuses_vectors():
    with pytest.raises(ValueError, match="kspace must have shape"):
        fourier.centred_to_corner(np.ones(4))
