import numpy as np
import pytest
import scanner_files

from mgdm_jax.data import brats, prepared, volumes

TARGET = volumes.Target(brats.SIZE)


def expected(values):
    """Return the scale Song et al. 2022 give a contrast, [k, j, i], float64."""
    k, j, i = np.nonzero(values)
    box = values[k.min() : k.max() + 1, j.min() : j.max() + 1, i.min() : i.max() + 1]
    return min(box.max(), box.mean() + 6 * box.std())


def test_a_subject_at_full_size(tmp_path, rng):
    contrasts = scanner_files.write_brats(tmp_path, "BraTS2021_00000", rng)
    (volume,) = brats.find(tmp_path)
    slices = brats.load(volume, TARGET)
    shown = np.flatnonzero(contrasts["t1"].any((1, 2)))
    positions = np.arange(shown[0] + 40, shown[-1] - 25 + 1)
    n = len(positions)
    assert slices.images.shape == (4 * n, 240, 240)
    assert slices.label == [name for name in brats.CONTRASTS for _ in range(n)]
    np.testing.assert_array_equal(slices.position, np.tile(positions, 4))
    for i, values in enumerate(contrasts.values()):
        scale = expected(values)
        assert slices.scale[i * n] == pytest.approx(scale, rel=1e-6)
        # The archive's affine points to the left and the back already.
        clipped = np.minimum(values[positions], scale) / scale
        np.testing.assert_allclose(
            slices.images[i * n : (i + 1) * n], clipped, atol=1e-6
        )
    prepared._check(slices)


def test_names_of_2023(tmp_path, rng):
    ends = {"t1": "t1n", "t1ce": "t1c", "t2": "t2w", "flair": "t2f"}
    names = {c: f"BraTS-GLI-00000-000-{end}" for c, end in ends.items()}
    scanner_files.write_brats(tmp_path, "BraTS-GLI-00000-000", rng, (6, 6, 80), names)
    (volume,) = brats.find(tmp_path)
    assert [path[-10:-7] for path in volume.paths] == ["t1n", "t1c", "t2w", "t2f"]


def test_a_missing_contrast_is_named(tmp_path, rng):
    scanner_files.write_brats(tmp_path, "one", rng, (6, 6, 80))
    (tmp_path / "one" / "one_t2.nii.gz").unlink()
    (volume,) = brats.find(tmp_path)
    with pytest.raises(ValueError, match="lacks one of"):
        brats.load(volume, TARGET)


def test_contrasts_of_other_shapes_are_refused(tmp_path, rng):
    scanner_files.write_brats(tmp_path, "one", rng, (6, 6, 80))
    other = np.ones((6, 6, 81), np.int16)
    scanner_files.write_nifti(tmp_path / "one" / "one_t2.nii.gz", other)
    (volume,) = brats.find(tmp_path)
    with pytest.raises(ValueError, match="differ in shape"):
        brats.load(volume, TARGET)


def test_too_little_brain_is_refused():
    with pytest.raises(ValueError, match="more than 65"):
        brats.brain_slices(np.ones((65, 2, 2)))
    assert brats.brain_slices(np.ones((66, 2, 2))) == slice(40, 41)


def test_scans_of_one_person_are_of_one_subject(tmp_path, rng):
    for name in ("BraTS-GLI-00005-100", "BraTS-GLI-00005-101", "BraTS2021_00005"):
        scanner_files.write_brats(tmp_path, name, rng, (6, 6, 80))
    found = {volume.name: volume.subject for volume in brats.find(tmp_path)}
    assert found == {
        "BraTS-GLI-00005-100": "BraTS-GLI-00005",
        "BraTS-GLI-00005-101": "BraTS-GLI-00005",
        "BraTS2021_00005": "BraTS2021_00005",
    }
