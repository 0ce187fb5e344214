import jax
import jax.numpy as jnp
import numpy as np
import operator_cases
import pytest
from helpers import dense_matrix, random_measurement

from mgdm_jax.operators import coils, sense, spectrum


def test_matrix_is_the_coil_wise_masked_dft():
    shape, mask = (4, 5), operator_cases.random_mask((4, 5))
    maps = coils.birdcage_sensitivities(shape, 3)
    columns = []
    for unit in np.eye(20):
        image = unit.reshape(shape)
        columns.append((mask * np.fft.fft2(maps * image, norm="ortho")).ravel())
    want = np.stack(columns, 1)
    got = dense_matrix(sense.sense(mask, maps))
    reference = np.concatenate([want.real, want.imag])
    np.testing.assert_allclose(got[:, 0::2], reference, atol=1e-6)
    reference = np.concatenate([-want.imag, want.real])
    np.testing.assert_allclose(got[:, 1::2], reference, atol=1e-6)


def test_constructor_normalises_and_keeps_the_background_zero():
    maps = 7 * coils.birdcage_sensitivities((4, 6), 4)
    maps[:, 1] = 0
    got = np.asarray(sense.sense(np.ones((4, 6)), maps).sensitivities)
    power = (np.abs(got) ** 2).sum(0)
    np.testing.assert_allclose(np.delete(power, 1, 0), 1, atol=1e-6)
    assert (got[:, 1] == 0).all()


def test_row_spectrum_reproduces_the_normal_matrix():
    op = operator_cases.multi_coil((3, 6))
    matrix = dense_matrix(op)
    normal = (matrix.T @ matrix).reshape(3, 6, 2, 3, 6, 2)
    for row in range(3):
        block = normal[row, :, :, row]
        want = block[:, 0, :, 0] + 1j * block[:, 1, :, 0]
        v, s2 = np.asarray(op.row_vectors[row]), np.asarray(op.row_values[row])
        np.testing.assert_allclose((v * s2) @ v.conj().T, want, atol=1e-6)
        normal[row, :, :, row] = 0
    np.testing.assert_allclose(normal, 0, atol=1e-6)


def test_a_wider_field_sees_the_image_with_margins(key):
    """The same as the operator of the whole field, on the image padded with zeros."""
    field, shape = (9, 8), (6, 5)
    mask = operator_cases.random_mask(field)
    maps = coils.birdcage_sensitivities(field, 3)
    top, left = 9 // 2 - 6 // 2, 8 // 2 - 5 // 2
    middle = (slice(top, top + 6), slice(left, left + 5))
    narrow = sense.sense(mask, maps[:, *middle], field)
    whole = sense.sense(mask, maps)
    assert narrow.image_shape == (*shape, 2)
    image = jax.random.normal(key, narrow.image_shape)
    padded = jnp.zeros((*field, 2)).at[middle].set(image)
    np.testing.assert_allclose(narrow.forward(image), whole.forward(padded), atol=1e-6)
    measured = random_measurement(whole, key)
    np.testing.assert_allclose(
        narrow.adjoint(measured), whole.adjoint(measured)[middle], atol=1e-6
    )


def test_a_field_narrower_than_the_image_is_refused():
    with pytest.raises(ValueError, match="at least the image's"):
        sense.sense(np.ones((4, 6)), np.ones((1, 4, 7)), (4, 6))


def test_two_dimensional_masks_are_sent_to_cg(key):
    maps = coils.birdcage_sensitivities((4, 6), 2)
    op = sense.sense(operator_cases.random_mask((4, 6)), maps)
    with pytest.raises(ValueError, match="conjugate gradients"):
        sense.with_row_spectrum(op)
    gain = spectrum.proximal_gain(jnp.float32(1.0))
    with pytest.raises(ValueError, match="conjugate gradients"):
        op.spectral_filter(gain, random_measurement(op, key))


@pytest.mark.parametrize(
    ("mask", "maps", "message"),
    [
        (np.ones((4, 6)), np.ones((4, 6)), "sensitivities must have shape"),
        (np.ones((4, 6)), np.ones((2, 6, 4)), "mask must have shape"),
        (np.ones((4, 6)), np.full((2, 4, 6), np.nan), "finite"),
    ],
)
def test_constructor_refuses(mask, maps, message):
    with pytest.raises(ValueError, match=message):
        sense.sense(mask, maps)
