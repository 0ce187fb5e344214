"""Raw data of the ismrmrd library against k-space that numpy makes of its image."""

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import raw_data

from mgdm_jax.data import ismrmrd_files, scan_arrays

N, C, H, W = 2, 4, 6, 8
"""Slices, coils, readout without oversampling, phase encoding."""

FOV = (12.0, 24.0, 5.0)
ENCODED = ((2 * H, W, 1), (2 * FOV[0], *FOV[1:]))
WANTED = ((H, W, 1), FOV)
LINES = (0, 2, 3, 4, 7)
POSITIONS = [np.array([1.0, 2.0, 3.0]) + 6.0 * n * raw_data.SLICE for n in range(N)]


NOT_IMAGED = "NOISE_MEASUREMENT PARALLEL_CALIBRATION NAVIGATION_DATA PHASECORR_DATA"
NOT_IMAGED += " HPFEEDBACK_DATA DUMMYSCAN_DATA RTFEEDBACK_DATA"
NOT_IMAGED += " SURFACECOILCORRECTIONSCAN_DATA PHASE_STABILIZATION_REFERENCE"
NOT_IMAGED += " PHASE_STABILIZATION"


def images(seed=0):
    """Return [n, c, 2h, w], not zero where the readout is oversampled either."""
    rng = np.random.default_rng(seed)
    shape = (N, C, 2 * H, W)
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype("c8")


def acquired(kspace, lines=LINES, **counters):
    """Return the readouts of k-space [n, c, x, w]: slices and lines in a jumble."""
    order = [(n, step) for n in reversed(range(N)) for step in lines]
    return [
        raw_data.line(kspace[n, :, :, step], step, n, POSITIONS[n].tolist(), **counters)
        for n, step in np.random.default_rng(1).permutation(order).tolist()
    ]


def scan(tmp_path, head=None, lines=None):
    head = head or raw_data.header(ENCODED, WANTED, W // 2)
    lines = lines or acquired(raw_data.kspace_of(images()))
    return raw_data.write(tmp_path / "scan.h5", head, lines)


def kept(lines=LINES):
    """Return k-space [n, c, h, w] of the middle of the image, and its mask [w]."""
    mask = np.isin(np.arange(W), lines)
    return raw_data.kspace_of(images()[:, :, H // 2 : -H // 2]) * mask, mask


def test_kspace_and_mask_without_oversampling(tmp_path):
    rubbish = np.full((C, 2 * H), 1e3)
    flags = [f"ACQ_IS_{name}" for name in NOT_IMAGED.split()]
    extra = [raw_data.line(rubbish, 1, 0, flags=[flag]) for flag in flags]
    noise = raw_data.line(
        np.full((C, 5), 1e3), contrast=3, flags=["ACQ_IS_NOISE_MEASUREMENT"]
    )
    lines = [noise, *extra, *acquired(raw_data.kspace_of(images()))]
    path = scan(tmp_path, lines=lines)
    assert ismrmrd_files.is_scan(path)
    got = ismrmrd_files.read(path)
    want, mask = kept()
    assert got.kspace.shape == (N, C, H, W) and got.kspace.dtype == np.complex64
    np.testing.assert_allclose(got.kspace, want, atol=2e-6)
    np.testing.assert_array_equal(got.mask, mask)


def test_lines_for_imaging_and_calibration_are_kept(tmp_path):
    lines = acquired(raw_data.kspace_of(images()))
    for one in lines[::2]:
        one.set_flag(raw_data.ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING)
    got = ismrmrd_files.read(scan(tmp_path, lines=lines))
    np.testing.assert_allclose(got.kspace, kept()[0], atol=2e-6)


def test_averages_are_averaged(tmp_path):
    kspace = raw_data.kspace_of(images())
    off = np.random.default_rng(2).normal(size=kspace.shape)
    lines = acquired(kspace + off) + acquired(kspace - off, average=1)
    got = ismrmrd_files.read(scan(tmp_path, lines=lines))
    np.testing.assert_allclose(got.kspace, kept()[0], atol=2e-6)


def test_partial_fourier_counts_from_its_centre(tmp_path):
    """The first two lines are never encoded: line 0 of the file is line 2."""
    lines = acquired(raw_data.kspace_of(images()), range(2, W))
    for one in lines:
        one.idx.kspace_encode_step_1 -= 2
    head = raw_data.header(ENCODED, WANTED, W // 2 - 2)
    got = ismrmrd_files.read(scan(tmp_path, head, lines))
    want, mask = kept(range(2, W))
    np.testing.assert_allclose(got.kspace, want, atol=2e-6)
    np.testing.assert_array_equal(got.mask, mask)


@pytest.mark.parametrize("centre", [W // 2, 0])
def test_a_readout_that_is_not_oversampled_stays_as_it_is(centre, tmp_path):
    kspace = raw_data.kspace_of(images())
    whole = ENCODED[0], (FOV[0], *FOV[1:])
    larger = ((4 * H, W, 1), FOV)  # the same field of view, zero-filled to be seen
    head = raw_data.header(whole, larger, centre)
    got = ismrmrd_files.read(scan(tmp_path, head, acquired(kspace)))
    want = kspace[..., LINES].astype(np.complex64)
    np.testing.assert_array_equal(got.kspace[..., LINES], want)
    assert got.kspace.shape == (N, C, 2 * H, W)


def test_a_point_is_found_where_it_is(tmp_path):
    """Its signal is that of a point in the patient, by the Fourier integral."""
    voxel, position = np.array([4, 1, 5]), np.array([-7.0, 30.0, 11.0])
    off_read, off_phase = (voxel[1] - H // 2) * 2.0, (voxel[2] - W // 2) * 3.0
    point = position + 6.0 * (voxel[0] - 2) * raw_data.SLICE
    point = point + off_read * raw_data.READ + off_phase * raw_data.PHASE
    k_read = (np.arange(2 * H) - H) / (2 * FOV[0])
    k_phase = (np.arange(W) - W // 2) / FOV[1]
    lines = []
    for n in range(6):
        centre = position + 6.0 * (n - 2) * raw_data.SLICE
        along = (point - centre) @ np.stack([raw_data.READ, raw_data.PHASE], 1)
        excited = np.isclose((point - centre) @ raw_data.SLICE, 0)
        for step in range(W):
            phase = k_read * along[0] + k_phase[step] * along[1]
            signal = excited * np.exp(-2j * np.pi * phase)
            number = (5 * n) % 6  # slices are numbered as they were excited
            lines.append(raw_data.line(signal[None], step, number, centre.tolist()))
    got = ismrmrd_files.read(scan(tmp_path, lines=lines))
    spectrum = got.kspace[:, 0]
    image = np.abs(raw_data.dft(H).conj() @ spectrum @ raw_data.dft(W).conj().T)
    n, h, w = np.unravel_index(image.argmax(), image.shape)
    np.testing.assert_array_equal([n, h, w], voxel)
    assert got.geometry.shape == (6, H, W)
    found = got.geometry.affine @ [w, h, n, 1]
    np.testing.assert_allclose(found[:3], point, atol=1e-4)
    np.testing.assert_allclose(got.geometry.spacing, [3, 2, 6], rtol=1e-5)
    assert got.geometry.thickness_mm == 5


def test_one_slice_is_as_thick_as_it_says(tmp_path):
    lines = [one for one in acquired(raw_data.kspace_of(images())) if not one.idx.slice]
    got = ismrmrd_files.read(scan(tmp_path, lines=lines))
    want = 5 * raw_data.SLICE
    np.testing.assert_allclose(got.geometry.affine[:3, 2], want, atol=1e-5)


def test_whose_scan_it_is(tmp_path):
    got = ismrmrd_files.read(scan(tmp_path)).geometry
    assert got.identity == {
        "PatientName": "Doe^J",
        "StudyInstanceUID": "1.2.3",
        "StudyDate": "20200309",
    }


def test_no_geometry_where_the_header_has_none(tmp_path):
    unplaced, tilted = (acquired(raw_data.kspace_of(images())) for _ in range(2))
    for one in unplaced:
        one.position[:] = (0, 0, 0)
    for one in tilted:
        one.read_dir[:] = (1, 0, one.idx.slice)
    for lines in (unplaced, tilted):
        (tmp_path / "scan.h5").unlink(missing_ok=True)
        got = ismrmrd_files.read(scan(tmp_path, lines=lines))
        assert got.geometry is None and got.kspace.shape == (N, C, H, W)


@pytest.mark.parametrize("counter", ["contrast", "phase", "repetition", "set"])
def test_several_images_of_a_slice_are_refused(counter, tmp_path):
    kspace = raw_data.kspace_of(images())
    lines = acquired(kspace) + acquired(kspace, **{counter: 1})
    with pytest.raises(ValueError, match=f"has 2 of `{counter}`") as caught:
        ismrmrd_files.read(scan(tmp_path, lines=lines))
    assert "scan.h5" in str(caught.value)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ((ENCODED, WANTED, 4, "radial"), "is radial; only Cartesian"),
        ((ENCODED, WANTED, 4, "epi"), "is epi; only Cartesian"),
        ((((2 * H, W, 9), FOV), WANTED, 4), "three dimensions"),
        ((((2 * H, W, 1), (0, 1, 1)), WANTED, 4), "field of view of zero"),
        ((((2 * H, W, 1), FOV), WANTED, 4), "correct the fields of view"),
        ((((3 * H, W, 1), FOV), ((3 * H, W, 1), FOV), 4), "partial echoes"),
        ((ENCODED, WANTED, 2), "lies outside of the 8"),
    ],
)
def test_headers_of_other_scans_are_refused(head, message, tmp_path):
    with pytest.raises(ValueError, match=message) as caught:
        ismrmrd_files.read(scan(tmp_path, raw_data.header(*head)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (acquired(raw_data.kspace_of(images()))[1:], "no one mask"),
        ([raw_data.line(np.ones((c, 12)), c) for c in (4, 3)], "holds 3 coils"),
        ([raw_data.line(np.ones((4, 12)), flags=["ACQ_IS_REVERSE"])], "backwards"),
        ([raw_data.line(np.ones((4, 12)), flags=ismrmrd_files.SKIPPED[:1])], "none of"),
        ([raw_data.line(np.ones((4, 12)), kspace_encode_step_2=1)], "three dimensions"),
        (
            [raw_data.line(np.ones((4, 12)), encoding_space_ref=1)],
            r"encodings \[1\], 1 are",
        ),
    ],
)
def test_lines_that_make_no_image_are_refused(lines, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        ismrmrd_files.read(scan(tmp_path, lines=lines))


def test_a_damaged_file_is_refused(tmp_path):
    path = Path(scan(tmp_path))
    with h5py.File(path, "r+") as file:
        file["dataset/xml"][0] = b"<ismrmrdHeader>"
    with pytest.raises(ValueError, match="not readable") as caught:
        ismrmrd_files.read(path)
    assert "\n" not in str(caught.value)


def test_other_files_are_no_scans(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["dataset/data"] = np.ones(3)
        file["dataset/xml"] = "x"
    (tmp_path / "b.h5").write_bytes(b"x")
    for name in ("a.h5", "b.h5", "absent.h5", ""):
        assert not ismrmrd_files.is_scan(str(tmp_path / name))


def test_without_the_library_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ismrmrd", None)
    with pytest.raises(ValueError, match=r"pip install mgdm-jax\[formats\]"):
        ismrmrd_files.read(tmp_path / "a.h5")


def test_the_command_s_arrays_are_found_by_content(tmp_path):
    path = Path(scan(tmp_path)).rename(tmp_path / "scan.mrd")
    maps = np.random.default_rng(3).normal(size=(C, H, W)) + 0j
    np.save(tmp_path / "maps.npy", maps)
    got = scan_arrays.mri_arrays(str(path), None, str(tmp_path / "maps.npy"))
    np.testing.assert_allclose(got.kspace, kept()[0], atol=2e-6)
    np.testing.assert_array_equal(got.mask, kept()[1])
    assert got.geometry is not None and got.centered
    with pytest.raises(ValueError, match="leave out --nocentered"):
        scan_arrays.mri_arrays(str(path), None, None, centered=False)
    np.save(tmp_path / "mask.npy", np.eye(W)[2])
    files = (str(path), str(tmp_path / "mask.npy"), str(tmp_path / "maps.npy"))
    given = scan_arrays.mri_arrays(*files)
    np.testing.assert_array_equal(given.mask, np.eye(W)[2])


def test_one_coil_has_no_axis(tmp_path):
    kspace = raw_data.kspace_of(images())[:, :1]
    path = scan(tmp_path, lines=acquired(kspace))
    assert scan_arrays.mri_arrays(path, None, None).kspace.shape == (N, H, W)
