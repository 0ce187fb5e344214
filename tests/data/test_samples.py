from pathlib import Path

import numpy as np
import pytest

from mgdm_jax.data import samples

SHAPES = {
    ("brain", "train", "itk_mprage"): ((78, 120, 120), (1.0, 2.0, 2.0)),
    ("brain", "train", "mni152"): ((128, 120, 120), (1.0, 2.0, 2.0)),
    ("brain", "train", "s1"): ((80, 120, 120), (1.0, 2.0, 2.0)),
    ("brain", "test", "colin27"): ((92, 120, 120), (1.0, 2.0, 2.0)),
    ("chest", "train", "lung1"): ((48, 160, 160), (5.0, 2.4, 2.4)),
    ("chest", "train", "totalsegmentator"): ((96, 160, 160), (3.0, 2.4, 2.4)),
    ("chest", "test", "lung2"): ((61, 160, 160), (5.0, 2.4, 2.4)),
}


@pytest.mark.parametrize("where", SHAPES, ids="-".join)
def test_every_volume_in_operator_units(where):
    shape, spacing = SHAPES[where]
    volume = samples.load_volume(*where)
    assert volume.shape == shape and volume.dtype == np.float32
    assert volume.min() == 0 and 0.9 < volume.max() <= 1
    assert samples.spacing_mm(*where) == pytest.approx(spacing)
    assert (
        "BSD" in (text := samples.source(*where)) or "Apache" in text or "MNI" in text
    )


@pytest.mark.parametrize("modality", ["brain", "chest"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_subjects_are_those_of_the_table(modality, split):
    expected = [s for m, sp, s in SHAPES if (m, sp) == (modality, split)]
    assert list(samples.subjects(modality, split)) == expected


def test_the_sample_is_small_enough_to_ship():
    files = (Path(samples.__file__).parents[1] / "assets" / "sample").iterdir()
    sizes = [path.stat().st_size for path in files]
    assert 1e6 < sum(sizes) < 16e6


def test_hounsfield_window():
    hounsfield = np.array([-2000, -1024, 0, 1024, 3000], np.int16)
    np.testing.assert_array_equal(
        samples.from_hounsfield(hounsfield), np.float32([0, 0, 0.5, 1, 1])
    )


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (("knee", "train", "s1"), "modality must be 'brain' or 'chest', got 'knee'"),
        (("brain", "val", "s1"), "split must be 'train' or 'test', got 'val'"),
        (("brain", "test", "s1"), "test has no subject 's1'; it has colin27"),
    ],
)
def test_unknown_names_are_named(where, message):
    with pytest.raises(ValueError, match=message):
        samples.load_volume(*where)
