"""One array out of the files that people have: .npy, .npz, .h5, .mat, BART's .cfl.

A file of several arrays wants the one's name behind a `#`, as in `scan.h5#kspace`,
unless it holds one array only, or one of the name that is looked for. No pickle is ever
loaded. Axes are C-ordered as in the file, but for MATLAB's and BART's, which are
column-major: their last axis comes first, as with every reader that keeps indices.
"""

import itertools
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io

from mgdm_jax.data import blame

HDF5 = (".h5", ".hdf5")
COMPLEX = ("kspace", "sensitivity_maps")
SUFFIXES = (".npy", ".npz", *HDF5, ".mat", ".cfl")


def read(source: str, name: str) -> np.ndarray:
    """Return one array of a file.

    Args:
      source: a path, `#` and a dataset's name behind it where there are several.
      name: what is looked for, `kspace` say; for messages, and a dataset of that name.

    Raises:
      ValueError: with one line, if there is no such array.
    """
    return _read(*located(source), name)


def located(source: str) -> tuple[str, str]:
    """Return a source's path and the name behind its `#`, empty where there is none.

    Paths may have a `#` as well: the longest that is a file is meant.

    Args:
      source: as for `read`.
    """
    ends = [i for i in range(len(source), -1, -1) if source[i : i + 1] in ("", "#")]
    ways = [(source[:end], source[end + 1 :]) for end in ends]
    files = (way for way in ways if os.path.isfile(way[0]))
    likely = (way for way in ways if Path(way[0]).suffix.lower() in SUFFIXES)
    return next(files, next(likely, ways[0]))


def _read(path: str, asked: str, name: str) -> np.ndarray:
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(
            f"{path}: {name} must be a file of {', '.join(SUFFIXES)}; convert it."
        )
    if not os.path.isfile(path):
        raise ValueError(f"{path}: there is no such file; check the path of {name}.")
    with blame.reading(path):
        names = _names(path, suffix)
    chosen = asked or (name if name in names else names[0] if len(names) == 1 else "")
    if chosen not in names:
        listed = ", ".join(sorted(names)) or "none"
        raise ValueError(
            f"{path}: holds the arrays {listed}; say which is {name} by {path}#NAME."
        )
    with blame.reading(path):
        values = _load(path, suffix, chosen, name)
    if not np.issubdtype(values.dtype, np.number) and values.dtype != bool:
        raise ValueError(f"{path}: {name} must hold numbers, got {values.dtype}.")
    return values


def beside(source: str, name: str, other: str) -> np.ndarray | None:
    """Return the array `other` of the file where `name` was read, if it is there.

    Args:
      source: as for `read`.
      name: what was looked for there; another array's neighbours are not its own.
      other: the neighbour's name, `mask` say.

    Raises:
      ValueError: with one line, if it cannot be read.
    """
    path, asked = located(source)
    with blame.reading(path):
        names = _names(path, Path(path).suffix.lower())
    if asked not in ("", name) or not {name, other} <= set(names):
        return None
    return _read(path, other, other)


def attributes(source: str) -> dict[str, Any]:
    """Return the attributes of an HDF5 file; none of any other.

    Raises:
      ValueError: with one line, if they cannot be read.
    """
    path, _ = located(source)
    if Path(path).suffix.lower() not in HDF5:
        return {}
    with blame.reading(path), h5py.File(path, "r") as file:
        return dict(file.attrs)


def _names(path: str, suffix: str) -> list[str]:
    """Return the names of a file's arrays; a file of one has its stem for a name."""
    match suffix:
        case ".npz":
            with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                return list(file.files)
        case ".mat" if not h5py.is_hdf5(path):
            return [entry[0] for entry in scipy.io.whosmat(path)]
        case ".h5" | ".hdf5" | ".mat":
            return _datasets(path)
        case _:
            return [Path(path).stem]


def _datasets(path: str) -> list[str]:
    names: list[str] = []

    def note(name: str | bytes, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and isinstance(name, str):
            names.append(name)

    with h5py.File(path, "r") as file:
        file.visititems(note)
    return names


def _load(path: str, suffix: str, chosen: str, name: str) -> np.ndarray:
    match suffix:
        case ".npy":
            return np.load(path, allow_pickle=False)
        case ".npz":
            with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                return file[chosen]
        case ".cfl":
            values = _bart(path, is_mask=name == "mask")
            return values if name in COMPLEX else _real(values)
        case ".mat" if not h5py.is_hdf5(path):
            values = scipy.io.loadmat(path, variable_names=[chosen])[chosen]
            return np.ascontiguousarray(values.T)
        case _:  # HDF5, which MATLAB 7.3 writes with its axes reversed
            with h5py.File(path, "r") as file:
                return _joined(np.asarray(file[chosen]))


def _joined(values: np.ndarray) -> np.ndarray:
    """Return MATLAB's and others' pairs of real and imaginary fields as complex."""
    for real, imaginary in (("real", "imag"), ("r", "i")):
        if values.dtype.names == (real, imaginary):
            return values[real] + 1j * values[imaginary]
    return values


def _real(values: np.ndarray) -> np.ndarray:
    """Return the real part of what is real: BART's files know complex numbers alone."""
    return values if np.imag(values).any() else np.real(values)


def _bart(path: str, *, is_mask: bool) -> np.ndarray:
    """Return BART's array without its axes of length 1, the last axis first.

    Several coils, BART's axis 3, are not to be taken for slices: they come as
    [n, c, h, w], even of one slice. n is what lies behind them, or axis 2 of three in
    space; more than one set of maps (axis 4) is an axis more. A mask along one axis
    stays a row [1, w], of axis 0, or a column [h, 1].
    """
    lines = Path(path).with_suffix(".hdr").read_text(errors="replace").splitlines()
    following = [b for a, b in itertools.pairwise(lines) if "Dimensions" in a]
    shape = tuple(int(word) for word in following[0].split())
    values = np.fromfile(path, np.complex64).reshape(shape[::-1])
    if is_mask and values.size == max(shape):
        return values.reshape((1, -1) if shape[0] > 1 else (-1, 1))
    n_coils, n_sets = (*shape, 1, 1, 1)[3], (*shape, 1, 1, 1, 1)[4]
    if n_coils == 1:
        return np.squeeze(values)
    if min(shape[:3]) > 1:
        values = np.moveaxis(values, -3, -4)
    values = np.squeeze(values)
    if n_sets > 1 and values.ndim == 4:
        return values[:, None]
    return values[None] if values.ndim == 3 else values
