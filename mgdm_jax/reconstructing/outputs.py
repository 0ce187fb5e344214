"""What `reconstruct` writes: which file, in which units, and where in the patient.

`.npy`, `.h5` and `.png` hold arrays; `.nii`, `.nii.gz`, `.dcm` and folders of `.dcm` a
volume, its voxels placed by a grid: see `data.geometry` for the axes. Nothing is ever
seen half written: files and folders are made aside and renamed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mgdm_jax import __version__, figures, posterior
from mgdm_jax.data import arrays, dicom_files, hdf5, nifti_files, samples
from mgdm_jax.data.geometry import Geometry
from mgdm_jax.measurements import Measurements
from mgdm_jax.storage import aside

FOLDER = "/"
DICOM = (".dcm", FOLDER)
PLACED = (*nifti_files.SUFFIXES, *DICOM)
SUFFIXES = (".npy", ".h5", ".png", *PLACED)
UNITS = ("scan", "hu")


class Plan(NamedTuple):
    """All that must be known before hours are spent on sampling.

    Attributes:
      path: file, or folder of a DICOM series.
      units: "scan", as the measurements', or "hu".
      modality: "MR" or "CT".
      grid: where the images are; None if nobody says.
    """

    path: Path
    units: str = "scan"
    modality: str = "MR"
    grid: Geometry | None = None


def form(path: Path) -> str:
    """Return what a path is to hold: its suffix, of `SUFFIXES`, else `FOLDER`."""
    return next((s for s in SUFFIXES if path.name.endswith(s)), FOLDER)


def check_target(out: str, overwrite: bool) -> Path:
    """Return the file or folder to write; a folder exists, or ends in a slash.

    Raises:
      ValueError: if it has no known suffix, exists, or cannot be written.
    """
    path = Path(out)
    is_folder = out.endswith("/") or path.is_dir()
    if is_folder != (form(path) == FOLDER) or (is_folder and path.is_file()):
        listed = ", ".join(SUFFIXES[:-1])
        raise ValueError(f"--out must end in {listed}, or / for a folder, got {out}.")
    if (any(path.iterdir()) if path.is_dir() else path.exists()) and not overwrite:
        raise ValueError(f"{path} exists; give another --out, or --overwrite.")
    if path.is_dir() and any(p.suffix != ".dcm" for p in path.iterdir()):
        raise ValueError(f"{path} holds more than .dcm files; give another --out.")
    aside.check(path)
    return path


def check_unread(targets: Sequence[Path | None], sources: Sequence[str]) -> None:
    """Refuse to replace what is read.

    Args:
      targets: what will be written; None for nothing.
      sources: files, `#` and an array's name behind them where they hold several.

    Raises:
      ValueError: naming the file.
    """
    read = {Path(arrays.located(source)[0]).resolve() for source in sources}
    for target in targets:
        if target is not None and target.resolve() in read:
            raise ValueError(
                f"--out would replace {target}, which is read; give another."
            )


def plan(
    path: Path,
    contents: hdf5.MriFile | hdf5.CtFile,
    geometry: str | None = None,
    units: str | None = None,
    size: tuple[int, ...] | None = None,
) -> Plan:
    """Return what will be written, so that nothing can be wrong with it afterwards.

    Args:
      path: of `check_target`.
      contents: the measurements.
      geometry: NIfTI file, or DICOM file or folder, on whose grid they are; None for
        what the measurements say themselves.
      units: of `UNITS`; None for "hu" of CT in DICOM, which wants them, else "scan".
      size: (h, w) of the images where they are the middle of what was measured.

    Raises:
      ValueError: if the grid or the units do not fit the measurements or the file.
    """
    is_ct, kind = isinstance(contents, hdf5.CtFile), form(path)
    if units and kind == ".png":
        raise ValueError(".png shows operator units; drop --units.")
    if units is None:
        units = "hu" if is_ct and kind in DICOM else "scan"
    if units not in UNITS:
        raise ValueError(f"--units must be {' or '.join(UNITS)}, got {units}.")
    if units == "hu" and not is_ct:
        raise ValueError("--units=hu is for CT; MRI has none but the scan's own.")
    if geometry and kind not in PLACED:
        raise ValueError(f"{kind} holds no geometry: drop --geometry, or write NIfTI.")
    n, h, w = _shape(contents, size)
    grid = None if isinstance(contents, hdf5.CtFile) else contents.geometry
    if grid is not None and size is not None:
        grid = grid.cropped((h, w))
    if geometry:
        grid = _grid(geometry, (n, h, w), path)
    if kind in nifti_files.SUFFIXES:
        nifti_files.library()
    if kind in DICOM:
        _check_dicom(kind, grid, n)
    return Plan(path, units, "CT" if is_ct else "MR", grid)


def _shape(
    contents: hdf5.MriFile | hdf5.CtFile, size: tuple[int, ...] | None
) -> tuple[int, int, int]:
    """Return (n, h, w) of the images, of that size or of the measurements'."""
    if isinstance(contents, hdf5.CtFile):
        n, _, d = contents.sinogram.shape
        return n, d, d
    n, *_, h, w = contents.kspace.shape
    h, w = (h, w) if size is None else size
    return n, h, w


def _grid(source: str, shape: tuple[int, int, int], target: Path) -> Geometry:
    """Return the grid of a file.

    Raises:
      ValueError: if it has another shape, or would be written over.
    """
    path = Path(source).resolve()
    if target.resolve() in (path, path.parent):
        raise ValueError(f"--out {target} would replace --geometry; give another.")
    if not path.exists():
        raise ValueError(f"{source}: there is no such file; check --geometry.")
    is_nifti = source.endswith(nifti_files.SUFFIXES)
    read = nifti_files.read_geometry if is_nifti else dicom_files.read_geometry
    grid = read(source)
    if grid.shape != shape:
        (n, h, w), (others, rows, columns) = shape, grid.shape
        raise ValueError(
            f"{source} has {others} slices of {rows}x{columns}, the images are {n} "
            f"of {h}x{w}; give the file on whose grid they are."
        )
    return grid


def _check_dicom(kind: str, grid: Geometry | None, n: int) -> None:
    dicom_files.check_installed()
    if grid is None:
        raise ValueError(
            "DICOM says where a slice is, and nobody said; give --geometry, or write "
            ".nii.gz or .npy."
        )
    dicom_files.check_grid(grid)
    if kind == ".dcm" and n > 1:
        raise ValueError(f".dcm holds one slice, there are {n}; give --out FOLDER/.")


def write(
    plan: Plan, found: posterior.Posterior, scan: Measurements, method: str
) -> None:
    """Write the result, whole or not at all; see `Plan` for where and how.

    Args:
      plan: of `plan`.
      found: operator units.
      scan: gives the units of the file.
      method: what made it, for the headers of NIfTI and DICOM.
    """
    path, kind = plan.path, form(plan.path)
    mean = _images(found.mean, scan, plan.units)
    magnitude = np.abs(mean) if np.iscomplexobj(mean) else mean
    about = f"{method}, mean of {len(found.samples)}"
    if kind == ".h5":
        _write_h5(path, found, scan, plan.units)
        return
    with aside.replacing(path) as part:
        match kind:
            case ".npy":
                np.save(part, mean)
            case ".png":
                maps = {"baseline": found.baseline, "mean": found.mean}
                maps |= {"std": found.std} if len(found.samples) > 1 else {}
                maps |= {"null space": found.null_space}
                figures.maps(maps).savefig(part, dpi=110)
            case ".nii" | ".nii.gz":
                nifti_files.write(part, magnitude, plan.grid, about)
            case _:
                _write_dicom(part, magnitude, plan, about)


def _images(images: np.ndarray, scan: Measurements, units: str) -> np.ndarray:
    """Return images, real or complex [n, h, w], in the units of the file."""
    return (
        samples.to_hounsfield(images) if units == "hu" else scan.in_file_units(images)
    )


def _write_h5(
    path: Path, found: posterior.Posterior, scan: Measurements, units: str
) -> None:
    def spread(magnitudes: np.ndarray) -> np.ndarray:
        if units == "hu":  # a difference has no offset
            return magnitudes * samples.HOUNSFIELD_RANGE
        return scan.in_file_units(magnitudes)

    stacks = {
        "reconstruction": _images(found.mean, scan, units),
        "null_space": spread(found.null_space),
        "baseline": _images(found.baseline, scan, units),
        "samples": np.stack([_images(x, scan, units) for x in found.samples]),
        "data_residual": found.data_residual,
        "diverged": found.diverged,
    }
    if len(found.samples) > 1:
        stacks["std"] = spread(found.std)
    hdf5.write(path, stacks, {"units": units})


def _write_dicom(part: Path, images: np.ndarray, plan: Plan, about: str) -> None:
    if plan.grid is None:
        raise ValueError("a DICOM series needs a grid.")
    units = "HU" if plan.units == "hu" else "US"
    series = dicom_files.Series(plan.modality, units, about, __version__)
    dicom_files.write(part, images, plan.grid, series)
