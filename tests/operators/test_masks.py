import numpy as np
import pytest

from mgdm_jax.operators import masks

KINDS = ("equispaced", "random", "gaussian1d", "gaussian2d", "radial")
COLUMNS = KINDS[:3]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("acceleration", [1, 4, 8, 24])
@pytest.mark.parametrize("shape", [(96, 120), (61, 97)])
def test_every_mask(kind, acceleration, shape):
    mask = masks.make_mask(kind, shape, acceleration, 3)
    assert mask.shape == shape and mask.dtype == np.float32
    assert set(np.unique(mask)) <= {0.0, 1.0}
    assert mask[shape[0] // 2, shape[1] // 2] == 1
    np.testing.assert_array_equal(mask, masks.make_mask(kind, shape, acceleration, 3))
    # Columns come in whole numbers: within one of n/R (1.5 for an offset).
    tolerance = 1.51 * shape[0] if kind in COLUMNS else 2 * max(shape)
    assert abs(mask.sum() - mask.size / acceleration) <= tolerance
    if kind in COLUMNS:
        assert (mask == mask[:1]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_seeds_differ(kind):
    drawn = [masks.make_mask(kind, (64, 64), 6, seed) for seed in range(8)]
    assert len({m.tobytes() for m in drawn}) > 1


def test_equispaced_is_fastmri_rule():
    n, r = 320, 4
    for seed in range(4):
        mask = masks.equispaced_columns(n, r, seed)
        block = round(n * 0.08)
        spacing = r * (block - n) / (block * r - n)
        pad = (n - block + 1) // 2
        candidates = []
        for offset in range(round(spacing)):
            want = np.zeros(n)
            want[pad : pad + block] = 1
            want[np.around(np.arange(offset, n - 1, spacing)).astype(int)] = 1
            candidates.append(want[:-1].tobytes())
        assert mask[:-1].astype(np.float64).tobytes() in candidates


def test_equispaced_meets_the_nominal_acceleration_on_average():
    counts = [masks.equispaced_columns(160, 8, seed).sum() for seed in range(40)]
    np.testing.assert_allclose(np.mean(counts), 160 / 8, atol=0.5)


@pytest.mark.parametrize(("acceleration", "block"), [(4, 26), (8, 13), (24, 4)])
def test_centre_block(acceleration, block):
    for kind in COLUMNS:
        row = masks.make_mask(kind, (2, 320), acceleration, 0)[0]
        start = (320 - block + 1) // 2
        assert (row[start : start + block] == 1).all()


@pytest.mark.parametrize("kind", COLUMNS)
def test_nothing_but_the_centre_block(kind):
    assert masks.make_mask(kind, (1, 8), 8, 0).sum() == 1


def test_exact_counts():
    assert masks.random_columns(160, 8, 0).sum() == 20
    assert masks.gaussian_columns(160, 8, 0).sum() == 20
    assert masks.gaussian_points((40, 50), 8, 0).sum() == 250


def test_gaussian_masks_favour_low_frequencies():
    drawn = np.mean([masks.gaussian_columns(128, 8, s) for s in range(50)], 0)
    assert drawn[48:80].sum() > 0.7 * drawn.sum()  # ± one standard deviation
    drawn = masks.gaussian_points((64, 64), 8, 0)
    assert drawn[20:44, 20:44].sum() > 0.7 * drawn.sum()


def test_radial_spokes_cover_the_centre():
    mask = masks.radial_spokes((64, 64), 8, 0)
    assert mask[30:35, 30:35].mean() > 0.9
    assert mask[:, 0].sum() > 0 or mask[0].sum() > 0


@pytest.mark.parametrize("n", [6, 7])
def test_effective_acceleration(n):
    single = np.zeros((n, n), np.float32)
    single[n // 2 + 1, n // 2 - 2] = 1
    assert masks.nominal_acceleration(single) == n * n
    assert masks.effective_acceleration(single, False) == n * n
    assert masks.effective_acceleration(single, True) == n * n / 2
    symmetric = single.copy()
    symmetric[n // 2 - 1, n // 2 + 2] = 1
    assert masks.effective_acceleration(symmetric, True) == n * n / 2
    dc = np.zeros((n, n), np.float32)
    dc[n // 2, n // 2] = 1
    assert masks.effective_acceleration(dc, True) == n * n


def test_nyquist_is_its_own_mirror():
    mask = np.zeros((6, 6), np.float32)
    mask[0, 3] = 1
    assert masks.effective_acceleration(mask, True) == 36


@pytest.mark.parametrize(
    ("kind", "shape", "acceleration", "message"),
    [
        ("spiral", (8, 8), 4, "kind must be one of"),
        ("random", (8, 8), 0.5, "at least 1"),
        ("random", (8, 8), 100, "centre block"),
        ("equispaced", (8, 8), 9, "centre block"),
        ("gaussian2d", (8, 8), 1000, "centre block"),
        ("radial", (16, 16), 60, "one spoke"),
    ],
)
def test_refusals(kind, shape, acceleration, message):
    with pytest.raises(ValueError, match=message):
        masks.make_mask(kind, shape, acceleration, 0)
