import numpy as np
import pytest

from mgdm_jax.data import augment

STILL = augment.Geometry(0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0, 0.0), 0.0)


@pytest.fixture(scope="module")
def blob() -> augment.Volume:
    """A smooth ellipsoid, 20 slices 4 mm apart of 40×48 pixels of 2 mm."""
    z, y, x = np.indices((20, 40, 48), np.float32)
    radius = ((z - 9.5) * 4 / 36) ** 2 + ((y - 19.5) / 16) ** 2 + ((x - 23.5) / 20) ** 2
    values = np.clip(1.2 - radius, 0, 1).astype(np.float32)
    return augment.prepare(values, (4.0, 2.0, 2.0))


def test_plane_without_motion_is_the_slice(blob):
    points = augment.random_plane(np.random.default_rng(0), blob, 7, STILL)
    image = augment.resample(blob, points)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, blob.values[7], atol=2e-6)


def test_outside_is_air_across_and_the_last_slice_along(blob):
    points = np.indices((1, 40, 48), np.float64)[:, 0]
    points[0] = 25.0
    np.testing.assert_allclose(
        augment.resample(blob, points), blob.values[-1], atol=2e-6
    )
    points[1] += 60
    assert np.abs(augment.resample(blob, points)).max() < 1e-6


def test_cubic_splines_keep_detail():
    """Half a pixel off, a wave of 4 pixels keeps its contrast (linear: 0.71)."""
    wave = np.broadcast_to(np.sin(np.arange(48) * np.pi / 2) / 2 + 0.5, (8, 40, 48))
    volume = augment.prepare(wave.astype(np.float32), (4.0, 2.0, 2.0))
    points = (
        np.indices((1, 40, 40), np.float64)[:, 0] + np.array([3, 0, 4.5])[:, None, None]
    )
    image = augment.resample(volume, points)[:, 4:-4]
    assert np.ptp(image) > 0.9 * np.sqrt(0.5)


def test_tilt_counts_in_millimetres(blob):
    """A plane tilted by up to 15° climbs tan(15°) of the way across, in slices."""
    geometry = STILL._replace(tilt=15.0)
    climbs = []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        z = augment.random_plane(rng, blob, 10, geometry)[0]
        climbs.append(np.ptp(z[20]) * 4 / (47 * 2))
    assert 0.2 < max(climbs) < np.sin(np.deg2rad(15)) + 1e-6


def test_planes_stay_between_the_first_and_the_last_slice(blob):
    for seed in range(50):
        rng = np.random.default_rng(seed)
        z = augment.random_plane(rng, blob, 0, augment.BRAIN)[0, 5:-5, 6:-6]
        assert z.min() > -1e-9 and z.max() < 19 + 1e-9


def test_native_draws_are_shifted_slices(blob):
    geometry = augment.BRAIN._replace(native=1.0)
    image = augment.draw_slice(np.random.default_rng(3), (blob,), geometry)
    known = np.unique(blob.values)
    assert np.isin(image, known).all()


def test_share_of_native_draws_and_worth_of_slices(blob):
    known = np.unique(blob.values)
    native = [
        np.isin(
            augment.draw_slice(np.random.default_rng(s), (blob,), augment.BRAIN), known
        ).all()
        for s in range(200)
    ]
    assert 0.15 < np.mean(native) < 0.35
    assert blob.usable.max() == 1 and 0 <= blob.usable.min() < 0.5


def test_smooth_field_is_standard_and_smooth():
    fields = np.stack(
        [augment.smooth_field(np.random.default_rng(s), (40, 48)) for s in range(300)]
    )
    assert fields.shape == (300, 40, 48)
    assert abs(fields.mean()) < 0.05 and abs(fields.std() - 1) < 0.05
    assert np.abs(np.diff(fields, axis=2)).max() < 1


@pytest.mark.parametrize("contrast", [augment.brain_contrast, augment.chest_contrast])
def test_contrast_keeps_range_and_air(contrast, blob):
    for seed in range(30):
        image = contrast(np.random.default_rng(seed), blob.values[9])
        assert image.dtype == np.float32
        assert image.min() >= 0 and image.max() <= 1
        assert not image[blob.values[9] == 0].any()


def test_chest_intensities_are_absolute(blob):
    for seed in range(30):
        image = augment.chest_contrast(np.random.default_rng(seed), blob.values[9])
        assert np.abs(image - blob.values[9]).max() <= 0.02 + 1e-6


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((4, 4), np.float32), r"got shape \(4, 4\)"),
        (np.ones((3, 4, 4), np.float32), "n ≥ 4"),
        (np.zeros((5, 4, 4), np.float32), "no foreground"),
    ],
)
def test_unusable_volumes_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        augment.prepare(values, (1.0, 1.0, 1.0))


def test_planes_turn_by_no_more_degrees_than_they_may():
    still = augment.Geometry(0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0, 0.0), 0.0)
    volume = augment.prepare(np.ones((20, 40, 48), np.float32), (4.0, 2.0, 2.0))
    turns = []
    for seed in range(100):
        points = augment.random_plane(
            np.random.default_rng(seed), volume, 9, still._replace(rotation=10.0)
        )
        along = points[:, 0, -1] - points[:, 0, 0]
        turns.append(abs(np.rad2deg(np.arctan2(along[1], along[2]))))
    assert 8 < max(turns) <= 10 + 1e-6
