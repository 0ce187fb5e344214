import numpy as np
import pytest

from mgdm_jax.operators import coils


@pytest.mark.parametrize("shape", [(64, 64), (63, 80)])
def test_birdcage_is_normalised_and_smooth(shape):
    maps = coils.birdcage_sensitivities(shape, 6)
    assert maps.shape == (6, *shape) and maps.dtype == np.complex64
    np.testing.assert_allclose((np.abs(maps) ** 2).sum(0), 1, atol=1e-6)
    for axis in (1, 2):
        assert np.abs(np.diff(maps, axis=axis)).max() < 0.15


def test_birdcage_coils_look_from_different_sides():
    maps = np.abs(coils.birdcage_sensitivities((16, 16), 4))
    brightest = {np.unravel_index(m.argmax(), m.shape) for m in maps}
    assert len(brightest) == 4


def test_phase_is_bounded_smooth_and_seeded():
    phase = coils.smooth_phase((24, 20), 1, max_phase=1.0)
    assert phase.shape == (24, 20) and phase.dtype == np.float32
    np.testing.assert_allclose(np.abs(phase).max(), 1, rtol=1e-6)
    assert np.abs(np.diff(phase, axis=0)).max() < 0.5
    assert (phase == coils.smooth_phase((24, 20), 1, max_phase=1.0)).all()
    assert not (phase == coils.smooth_phase((24, 20), 2, max_phase=1.0)).all()


def test_refusals():
    with pytest.raises(ValueError, match="n_coils"):
        coils.birdcage_sensitivities((4, 4), 0)
    with pytest.raises(ValueError, match="radius"):
        coils.birdcage_sensitivities((4, 4), 2, radius=1.0)
    with pytest.raises(ValueError, match="order"):
        coils.smooth_phase((4, 4), 0, order=0)
