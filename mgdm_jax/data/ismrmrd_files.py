"""k-space of ISMRMRD files: Cartesian, two-dimensional, one image of every slice.

An ISMRMRD file is HDF5 with a group `dataset` of `xml`, the header, and `data`, the
lines. They become [n, c, h, w] as `hdf5` wants it, h along the readout and w along the
phase encoding, as in fastMRI, n by the slices' position. Oversampling of the readout is
removed, k-space of the phase encoding is kept as it was encoded; averages are averaged.
Noise scans, navigators, separate calibration lines and the like are left out. What else
there is (3-D, radial, EPI, echoes, repetitions) is refused. The library is imported
here, once it is needed.
"""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import h5py
import numpy as np

from mgdm_jax.data import blame, ismrmrd_headers
from mgdm_jax.data.geometry import Geometry
from mgdm_jax.data.ismrmrd_headers import Encoding

SKIPPED = (
    "ACQ_IS_NOISE_MEASUREMENT",
    "ACQ_IS_PARALLEL_CALIBRATION",
    "ACQ_IS_NAVIGATION_DATA",
    "ACQ_IS_PHASECORR_DATA",
    "ACQ_IS_HPFEEDBACK_DATA",
    "ACQ_IS_DUMMYSCAN_DATA",
    "ACQ_IS_RTFEEDBACK_DATA",
    "ACQ_IS_SURFACECOILCORRECTIONSCAN_DATA",
    "ACQ_IS_PHASE_STABILIZATION_REFERENCE",
    "ACQ_IS_PHASE_STABILIZATION",
)
"""Flags of lines that are not of the image."""


class Scan(NamedTuple):
    """The images' part of a file.

    Attributes:
      kspace: [n, c, h, w] complex64, orthonormal, DC at N//2.
      mask: [w] float32, 1 where a line was measured.
      geometry: where the slices are; None if the header does not say.
    """

    kspace: np.ndarray
    mask: np.ndarray
    geometry: Geometry | None


def library():
    """Return ismrmrd.

    Raises:
      ValueError: if it is not installed.
    """
    try:
        import ismrmrd
    except ImportError:
        raise ValueError(
            "ismrmrd reads ISMRMRD, and it is not installed; run `pip install "
            "mgdm-jax[formats]`."
        ) from None
    return ismrmrd


def is_scan(path: blame.Path) -> bool:
    """Whether a file holds an ISMRMRD header and lines if any, by its content."""
    try:
        with h5py.File(path, "r") as file:
            lines = file.get("dataset/data")
            names = lines.dtype.names if isinstance(lines, h5py.Dataset) else None
            return "dataset/xml" in file and (lines is None or "head" in (names or ()))
    except OSError:  # absent, or no HDF5
        return False


def read(path: str | os.PathLike[str]) -> Scan:
    """Return k-space, mask and geometry of a file.

    Raises:
      ValueError: with one line, if it is damaged or not of the kind that is read here.
    """
    ismrmrd = library()
    with blame.reading(path), ismrmrd.File(path, "r") as file:
        dataset = file["dataset"]
        header = dataset.header
        acquired = dataset.acquisitions[:] if dataset.has_acquisitions() else []
    with blame.blaming(path):
        if not acquired:
            raise ValueError(
                "holds an ISMRMRD header and no acquisitions; give the file of the "
                "scan's lines."
            )
        lines = [x for x in acquired if not _has(x, SKIPPED, ismrmrd)]
        if not lines:
            raise ValueError(f"has {len(acquired)} lines, none of them of an image.")
        if any(_has(x, ("ACQ_IS_REVERSE",), ismrmrd) for x in lines):
            raise ValueError(
                "has lines read backwards, as in EPI; only others are read."
            )
        ismrmrd_headers.check_one_image(lines)
        encoding = ismrmrd_headers.encoding_of(header, lines)
        slices = _by_position(lines)
        whole, mask = _kspace(slices, encoding)
        kspace = np.swapaxes(_without_oversampling(whole, encoding.n_kept), -2, -1)
        return Scan(kspace, mask, ismrmrd_headers.geometry_of(slices, encoding, header))


def _has(line: Any, names: Sequence[str], ismrmrd: Any) -> bool:
    return any(line.is_flag_set(getattr(ismrmrd, name)) for name in names)


def _by_position(lines: list[Any]) -> list[list[Any]]:
    """Return the lines of every slice, slices sorted along their normal."""
    slices: dict[int, list[Any]] = {}
    for line in sorted(lines, key=lambda line: line.idx.slice):
        slices.setdefault(line.idx.slice, []).append(line)

    def along_normal(of_slice: list[Any]) -> float:
        # All of them along the first one's: their own may differ in the last digit.
        return float(np.dot(of_slice[0].position[:], lines[0].slice_dir[:]))

    return sorted(slices.values(), key=along_normal)


def _kspace(
    slices: list[list[Any]], encoding: Encoding
) -> tuple[np.ndarray, np.ndarray]:
    """Return k-space [n, c, phase, read] as measured, zero elsewhere, and its mask."""
    n_coils = slices[0][0].active_channels
    sums = np.zeros((len(slices), encoding.n_phase, n_coils, encoding.n_read), "c8")
    counts = np.zeros(sums.shape[:2], np.float32)
    for s, lines in enumerate(slices):
        for line in lines:
            step = line.idx.kspace_encode_step_1
            row = step - encoding.centre + encoding.n_phase // 2
            if not 0 <= row < encoding.n_phase:
                raise ValueError(
                    f"line {step} lies outside of the {encoding.n_phase} encoded ones, "
                    f"of which {encoding.centre} is the centre."
                )
            end = line.number_of_samples - line.discard_post
            samples = line.data[:, line.discard_pre : end]
            if samples.shape != sums.shape[2:]:
                raise ValueError(
                    f"a line holds {samples.shape[0]} coils of {samples.shape[1]} "
                    f"samples, {n_coils} of {encoding.n_read} are expected; partial "
                    "echoes are not read."
                )
            sums[s, row] += samples
            counts[s, row] += 1
    measured = counts > 0
    if (measured != measured[:1]).any():
        raise ValueError(
            "not the same lines are measured of every slice, so no one mask serves "
            "all; write the slices to files of their own."
        )
    sums /= np.maximum(counts, 1)[..., None, None]
    return np.moveaxis(sums, 2, 1), measured[0].astype(np.float32)


def _without_oversampling(kspace: np.ndarray, n_kept: int) -> np.ndarray:
    """Return k-space [..., read] of the middle n_kept pixels of the readout."""
    n = kspace.shape[-1]
    if n == n_kept:
        return kspace
    start = n // 2 - n_kept // 2
    image = np.fft.ifft(np.fft.ifftshift(kspace, -1), norm="ortho")
    image = np.fft.fftshift(image, -1)[..., start : start + n_kept]
    kept = np.fft.fft(np.fft.ifftshift(image, -1), norm="ortho")
    return np.fft.fftshift(kept, -1).astype(np.complex64)
