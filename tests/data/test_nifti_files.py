"""Affines through NIfTI and back, as nibabel and SimpleITK see them."""

import sys

import grids
import nibabel
import numpy as np
import pytest
import SimpleITK

from mgdm_jax.data import geometry, nifti_files
from mgdm_jax.data.geometry import Geometry


def write_source(path, affine, shape=grids.SHAPE, sform=1, qform=1, units="mm"):
    """Write a volume by nibabel alone; its voxel (i, j, k) is [k, j, i] of an array."""
    image = nibabel.Nifti1Image(np.zeros(shape[::-1], np.float32), affine)
    image.set_sform(affine, sform)
    image.set_qform(affine, qform)
    image.header.set_xyzt_units(units)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("suffix", nifti_files.SUFFIXES)
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("sform", "qform"), [(1, 1), (0, 1), (4, 0)])
def test_affine_and_values_survive(suffix, flip, sform, qform, tmp_path):
    affine = grids.oblique_ras(flip=flip)
    source = write_source(
        tmp_path / f"source{suffix}", affine, sform=sform, qform=qform
    )
    images, out = grids.values(), tmp_path / f"out{suffix}"
    nifti_files.write(out, images, nifti_files.read_geometry(source), "mgdm")
    read = nibabel.load(out)
    np.testing.assert_allclose(read.affine, nibabel.load(source).affine, atol=1e-5)
    np.testing.assert_array_equal(read.get_fdata().T, images)
    assert read.header["sform_code"] == (sform or qform)
    assert read.header["descrip"] == b"mgdm"
    ours, theirs = SimpleITK.ReadImage(str(out)), SimpleITK.ReadImage(str(source))
    for name in ("GetOrigin", "GetSpacing", "GetDirection"):
        got, want = (getattr(image, name)() for image in (ours, theirs))
        np.testing.assert_allclose(got, want, atol=1e-5)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(ours), images)


def test_coordinates_are_those_of_simpleitk(tmp_path):
    source = write_source(tmp_path / "a.nii", grids.oblique_ras(flip=True))
    image = SimpleITK.ReadImage(str(source))
    got = nifti_files.read_geometry(source)
    want = image.TransformIndexToPhysicalPoint((4, 1, 2))
    np.testing.assert_allclose(got.affine @ [4, 1, 2, 1], [*want, 1], atol=1e-4)
    assert got.shape == grids.SHAPE and got.thickness_mm == pytest.approx(2.5)


@pytest.mark.parametrize("shape", [(4, 5), (1, 4, 5), (1, 1, 4, 5)])
def test_one_slice(shape, tmp_path):
    source = write_source(tmp_path / "a.nii", grids.oblique_ras(), shape)
    assert nifti_files.read_geometry(source).shape == (1, 4, 5)


def test_a_tilted_gantry_has_no_qform(tmp_path):
    affine = grids.oblique_ras()
    affine[:3, 2] += 0.4 * affine[:3, 1]
    grid = Geometry(geometry.flipped(affine), grids.SHAPE, 2.5)
    nifti_files.write(tmp_path / "a.nii", grids.values(), grid, "")
    read = nibabel.load(tmp_path / "a.nii")
    np.testing.assert_allclose(read.affine, affine, atol=1e-5)
    assert read.header["qform_code"] == 0


def test_without_a_grid_coordinates_are_indices(tmp_path):
    nifti_files.write(tmp_path / "a.nii", grids.values(), None, "")
    np.testing.assert_array_equal(nibabel.load(tmp_path / "a.nii").affine, np.eye(4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sform": 0, "qform": 0}, "neither sform nor qform"),
        ({"shape": (2, 3, 4, 5)}, "one volume"),
        ({"units": "meter"}, "coordinates in meter"),
    ],
)
def test_what_says_not_where_it_is_is_refused(options, message, tmp_path):
    source = write_source(tmp_path / "a.nii", grids.oblique_ras(), **options)
    with pytest.raises(ValueError, match=message) as caught:
        nifti_files.read_geometry(source)
    assert str(caught.value).startswith(str(source))


@pytest.mark.parametrize("content", [None, b"", b"no NIfTI" * 100])
def test_what_is_no_nifti_is_refused(content, tmp_path):
    if content is not None:
        (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(ValueError, match="not readable") as caught:
        nifti_files.read_geometry(tmp_path / "a.nii")
    assert "\n" not in str(caught.value)


def test_collapsed_axes_are_refused(tmp_path):
    affine = grids.oblique_ras()
    affine[:3, 2] = affine[:3, 1]
    image = nibabel.Nifti1Image(np.zeros(grids.SHAPE[::-1], np.float32), None)
    image.set_sform(affine, 1)
    nibabel.save(image, tmp_path / "a.nii")
    with pytest.raises(ValueError, match="point the same way"):
        nifti_files.read_geometry(tmp_path / "a.nii")


def test_without_nibabel_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(ValueError, match=r"pip install mgdm-jax\[formats\]"):
        nifti_files.library()
