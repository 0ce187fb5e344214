"""The embedded sample: a few real brains (T1 MRI) and chests (CT).

Volumes are [n, h, w] float32 in operator units: brains 120×120 in [0, 1] with 1 the
99.5th percentile of the head, chests 160×160 as clip((HU + 1024) / 2048, 0, 1).
Rows run from anterior to posterior, columns from the patient's right to left.
Sources and licences: `mgdm_jax/assets/sample/README.md`.
"""

import importlib.resources
from typing import Any, Literal, get_args

import h5py
import numpy as np

Modality = Literal["brain", "chest"]
Split = Literal["train", "test"]

HOUNSFIELD_RANGE = np.float32(2048)
"""HU that 1 in operator units spans; 0 stands for -1024."""


def subjects(modality: Modality, split: Split) -> tuple[str, ...]:
    """Return the names of the volumes of one split, sorted.

    Raises:
      ValueError: if the modality or the split is unknown.
    """
    with _open(modality, split) as file:
        return tuple(sorted(file[split]))


def load_volume(modality: Modality, split: Split, subject: str) -> np.ndarray:
    """Return one volume [n, h, w] float32 in [0, 1], operator units.

    Raises:
      ValueError: if the modality, the split or the subject is unknown.
    """
    with _open(modality, split) as file:
        stored = _dataset(file, split, subject)[()]
    return from_uint8(stored) if modality == "brain" else from_hounsfield(stored)


def spacing_mm(
    modality: Modality, split: Split, subject: str
) -> tuple[float, float, float]:
    """Return the distances (slice, row, column) of one volume in mm.

    Raises:
      ValueError: if the modality, the split or the subject is unknown.
    """
    with _open(modality, split) as file:
        pixel = float(file.attrs["pixel_mm"])
        return float(_dataset(file, split, subject).attrs["slice_mm"]), pixel, pixel


def source(modality: Modality, split: Split, subject: str) -> str:
    """Return the package, the path and the licence one volume comes from.

    Raises:
      ValueError: if the modality, the split or the subject is unknown.
    """
    with _open(modality, split) as file:
        return str(_dataset(file, split, subject).attrs["source"])


def from_uint8(stored: np.ndarray) -> np.ndarray:
    """Return stored brain intensities as float32 in [0, 1]."""
    return stored.astype(np.float32) / np.float32(255)


def from_hounsfield(hounsfield: np.ndarray) -> np.ndarray:
    """Return clip((HU + 1024) / 2048, 0, 1) as float32."""
    scaled = (hounsfield.astype(np.float32) + np.float32(1024)) / HOUNSFIELD_RANGE
    return np.clip(scaled, 0, 1)


def to_hounsfield(images: np.ndarray) -> np.ndarray:
    """Return HU of images in operator units, the inverse where nothing was clipped."""
    return images * HOUNSFIELD_RANGE - np.float32(1024)


def _open(modality: Modality, split: Split) -> Any:  # h5py's types know no names
    """Return the opened file of a modality, after checking both names."""
    if modality not in get_args(Modality):
        raise ValueError(f"modality must be 'brain' or 'chest', got {modality!r}.")
    if split not in get_args(Split):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}.")
    name = "brain_t1.h5" if modality == "brain" else "chest_ct.h5"
    folder = importlib.resources.files("mgdm_jax") / "assets" / "sample"
    with importlib.resources.as_file(folder / name) as path:
        return h5py.File(path, "r")


def _dataset(file: Any, split: Split, subject: str) -> Any:
    """Return one volume's dataset."""
    if subject not in file[split]:
        known = ", ".join(sorted(file[split]))
        raise ValueError(f"{split} has no subject {subject!r}; it has {known}.")
    return file[split][subject]
