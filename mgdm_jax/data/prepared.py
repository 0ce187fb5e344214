"""Prepared images: slices of many subjects in one HDF5 file, to train and simulate.

Datasets of one length n: `images` [n, h, w], float32 in [0, 1] or, of complex MRI,
complex64 of magnitudes up to 1; `subject`, `volume`, `label` (the contrast) and `split`
(train, validation, test), text; `position` int32, the slice's place in its volume;
`scale` float32, what 1 stands for in the source's units; `pixel_mm` float32. File
attributes: `format`, `source`, `units`.
"""

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from mgdm_jax import evenly
from mgdm_jax.data import blame, hdf5_writing

FORMAT = "mgdm_jax images 1"
SPLITS = ("train", "validation", "test")

HOUNSFIELD = "Hounsfield units above -1024"
MAGNITUDES = "magnitude in the scanner's units, 0 at 0"
COMPLEX = "the scanner's, 0 at 0"
"""Units of CT and of MRI; a file may have others."""

_TEXT = ("subject", "volume", "label", "split")
WHOSE = ("subject", "volume", "label", "position")
"""Columns that say whose slice an image is."""

_ROOM = 2**16
"""Bytes that a merged file may be larger than its parts together."""

_NUMBERS = {"position": np.int32, "scale": np.float32, "pixel_mm": np.float32}


@dataclasses.dataclass(frozen=True)
class Slices:
    """Slices of one volume, in its order.

    Attributes:
      images: [n, h, w] float32 in [0, 1], or complex64 of magnitudes up to 1.
      label: [n] contrast of each.
      position: [n] place in the volume.
      scale: [n] value in the source's units that 1 stands for.
      pixel_mm: height of a pixel.
      units: what the source's units are, and where 0 lies.
    """

    images: np.ndarray
    label: Sequence[str]
    position: np.ndarray
    scale: np.ndarray
    pixel_mm: float
    units: str

    def __len__(self) -> int:
        """Return n."""
        return len(self.images)


def digest(values: np.ndarray) -> str:
    """Return the SHA-256 of an array's bytes."""
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()


def write(path: Path, slices: Slices, subject: str, volume: str, split: str) -> None:
    """Write the slices of one volume, whole or not at all.

    Raises:
      ValueError: if there are none, or they are not as `Slices` says.
    """
    _check(slices)
    n = len(slices)
    columns: dict[str, Any] = {
        "subject": [subject] * n,
        "volume": [volume] * n,
        "label": list(slices.label),
        "split": [split] * n,
        "position": slices.position,
        "scale": slices.scale,
        "pixel_mm": np.full(n, slices.pixel_mm),
    }
    with hdf5_writing.in_memory(path) as file:
        _create(file, slices.images.shape[1:], slices.images.dtype)
        _append(file, slices.images, columns)
        file.attrs.update(format=FORMAT, units=slices.units)


def merge(path: Path, parts: Sequence[Path], source: str) -> None:
    """Write the volumes of several files into one, whole or not at all.

    Args:
      path: target; replaced if it exists.
      parts: files of `write`, of one size and kind.
      source: what they were made from.

    Raises:
      ValueError: if there are none, or sizes, kinds or units differ.
      OSError: if there is no room for the file; nothing of it is written.
    """
    if not parts:
        raise ValueError("there is no volume to write.")
    size = sum(os.path.getsize(part) for part in parts) + _ROOM
    with hdf5_writing.reserved(path, size) as file:
        for part in parts:
            with h5py.File(part, "r") as one:
                images: Any = one["images"]
                if "images" not in file:
                    _create(file, images.shape[1:], images.dtype)
                    file.attrs.update(dict(one.attrs) | {"source": source})
                _check_like(file, images, str(one.attrs["units"]), part)
                columns = {k: one[k][()] for k in (*_TEXT, *_NUMBERS)}  # type: ignore[index]
                _append(file, images[()], columns)


def kind(path: Path) -> str:
    """Return size, type and units of a file's images: what files to merge share."""
    with h5py.File(path, "r") as file:
        images: Any = file["images"]
        h, w = images.shape[1:]
        return f"{h}x{w} {images.dtype} ({file.attrs['units']})"


def is_prepared(path: str | os.PathLike[str]) -> bool:
    """Return whether the file is an HDF5 file of prepared images."""
    try:
        with h5py.File(path, "r") as file:
            return file.attrs.get("format") == FORMAT
    except Exception:  # a damaged file raises whatever it likes
        return False


def indices(
    path: str | os.PathLike[str], split: str, subject: str | None = None
) -> np.ndarray:
    """Return the rows of a split, of one subject if it is named.

    Raises:
      ValueError: if the file has no slice of that split, or the subject none there.
    """
    with _opened(path) as file:
        splits, whose = (file[k].asstr()[()] for k in ("split", "subject"))
    of_split = splits == split
    if not of_split.any():
        has = ", ".join(sorted(set(splits))) or "none"
        raise ValueError(
            f"{path} has no slice of split {split!r}, it has {has}; prepare it with "
            "subjects named by --validation and --test."
        )
    found = np.flatnonzero(of_split & (True if subject is None else whose == subject))
    if not len(found):
        has = ", ".join(sorted(set(splits[whose == subject])))
        raise ValueError(f"{path} has {subject} in split {has}, not in {split}.")
    return found


def units(path: str | os.PathLike[str]) -> str:
    """Return what the images were in before they were in [0, 1]."""
    with _opened(path) as file:
        return str(file.attrs["units"])


class Chosen(NamedTuple):
    """Images [n, h, w] of a split, and what other columns hold, [n] each."""

    images: np.ndarray
    scale: np.ndarray
    pixel_mm: np.ndarray
    whose: dict[str, np.ndarray]


def spread(
    path: str | os.PathLike[str], split: str, n: int, subject: str | None = None
) -> Chosen:
    """Return n images of a split, evenly spaced; all where there are fewer.

    Raises:
      ValueError: if n is not positive, or none is found, see `indices`.
    """
    if n < 1:
        raise ValueError(f"the number of images must be at least 1, got {n}.")
    rows = indices(path, split, subject)
    chosen = rows[evenly.spaced(len(rows), n)]
    with _opened(path) as file:
        sets = {k: file[k].asstr() if k in _TEXT else file[k] for k in WHOSE}
        whose = {name: dataset[chosen] for name, dataset in sets.items()}
        images, scale, mm = (file[k][chosen] for k in ("images", "scale", "pixel_mm"))
        return Chosen(images, scale, mm, whose)


class Count(NamedTuple):
    """How much there is of a split."""

    subjects: int
    slices: int


def summary(path: str | os.PathLike[str]) -> dict[str, Count]:
    """Return how much there is of each split."""
    with _opened(path) as file:
        splits, subjects = (file[k].asstr()[()] for k in ("split", "subject"))
    found = {}
    for split in SPLITS:
        of_split = splits == split
        found[split] = Count(len(set(subjects[of_split])), int(of_split.sum()))
    return found


def names(path: str | os.PathLike[str], column: str) -> set[str]:
    """Return every `subject`, `volume`, `label` or `split` that the file has."""
    with _opened(path) as file:
        return set(file[column].asstr()[()])


class Images:
    """Random access to the images of one split; opened in each process anew.

    Raises:
      ValueError: if the file has no slice of that split.
    """

    def __init__(self, path: str | os.PathLike[str], split: str):
        self._path, self._rows, self._file = os.fspath(path), indices(path, split), None

    def __len__(self) -> int:
        """Return the number of slices of the split."""
        return len(self._rows)

    def __getitem__(self, index: int) -> np.ndarray:
        """Return one image [h, w]."""
        if self._file is None:
            self._file = h5py.File(self._path, "r")
        return self._file["images"][int(self._rows[index])]  # type: ignore[index]

    def __getstate__(self) -> dict:
        """Leave the open file behind: it serves no other process."""
        return self.__dict__ | {"_file": None}


def _check(slices: Slices) -> None:
    images = slices.images
    if images.ndim != 3 or not len(images):
        raise ValueError(f"images must be [n ≥ 1, h, w], got shape {images.shape}.")
    if images.dtype not in (np.float32, np.complex64):
        raise ValueError(f"images must be float32 or complex64, got {images.dtype}.")
    negative = images.dtype == np.float32 and images.min() < 0
    if not np.isfinite(images).all() or negative:
        raise ValueError("images must be finite and, where real, not negative.")
    if np.abs(images).max() > 1 + 1e-5:
        raise ValueError("images must not exceed 1 in magnitude.")


def _check_like(file: h5py.File, images: Any, units: str, part: Path) -> None:
    """Refuse a part of another size, kind or unit than the file's."""
    have: Any = file["images"]
    if (images.shape[1:], images.dtype) != (have.shape[1:], have.dtype):
        raise ValueError(
            f"{part} has images {images.shape[1:]} {images.dtype}, those before it "
            f"{have.shape[1:]} {have.dtype}; give one --size for all."
        )
    if units != file.attrs["units"]:
        raise ValueError(f"{part} is in {units}, not in {file.attrs['units']}.")


def _create(file: h5py.File, size: tuple[int, ...], dtype: Any) -> None:
    """Make empty datasets that grow; a chunk is a slice, for random access."""
    options: dict[str, Any] = {"compression": "gzip", "shuffle": True}
    shape = (0, *size)
    file.create_dataset(
        "images", shape, dtype, maxshape=(None, *size), chunks=(1, *size), **options
    )
    for name, kind in (dict.fromkeys(_TEXT, h5py.string_dtype()) | _NUMBERS).items():
        file.create_dataset(name, (0,), kind, maxshape=(None,))


def _append(file: h5py.File, images: np.ndarray, columns: Mapping[str, Any]) -> None:
    for name, values in {"images": images, **columns}.items():
        dataset: Any = file[name]
        start = len(dataset)
        dataset.resize(start + len(values), axis=0)
        dataset[start:] = values


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Yield the opened file.

    Raises:
      ValueError: if it is none of prepared images.
    """
    if not is_prepared(path):
        raise ValueError(f"{path} holds no prepared images; make them with prepare.")
    with blame.reading(path), h5py.File(path, "r") as file:
        yield file
