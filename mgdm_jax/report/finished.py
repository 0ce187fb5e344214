"""What a run has left, read back from its folder: all that a page is made of."""

import csv
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mgdm_jax.data import hdf5, prepared, samples


@dataclasses.dataclass(frozen=True)
class Finished:
    """A finished run; images are magnitudes [n, h, w] in operator units.

    Attributes:
      name: what to call it: its folder, or the file it was written to.
      facts: metrics.json.
      config: config.json.
      environment: environment.json.
      baseline_name: what the baseline is called.
      images: "reconstruction" and "baseline", and "reference" if there is one.
      maps: "null_space" and "std", of what is known.
      scores: name of a column of metrics.csv -> [n]; empty without a reference.
      data_residual: [n] of the images.
      diverged: [n] bool.
      steps: [n, k] data residual of every step.
      strip: [m, h, w] x0_hat of one image on its way, or None.
      strip_steps: [m] their steps, from 0.
      strip_image: which image that is.
    """

    name: str
    facts: Mapping[str, Any]
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    baseline_name: str
    images: Mapping[str, np.ndarray]
    maps: Mapping[str, np.ndarray]
    scores: Mapping[str, np.ndarray]
    data_residual: np.ndarray
    diverged: np.ndarray
    steps: np.ndarray
    strip: np.ndarray | None = None
    strip_steps: np.ndarray | None = None
    strip_image: int = 0

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.data_residual)

    @property
    def is_ct(self) -> bool:
        """Whether images are shown in Hounsfield units."""
        return self.config["task"]["kind"] == "ct"

    def displayed(self, images: np.ndarray) -> np.ndarray:
        """Return images in the units they are shown in: of CT Hounsfield units."""
        return samples.to_hounsfield(images) if self.is_ct else images

    def deviation(self, images: np.ndarray) -> np.ndarray:
        """Return differences of images, which have no offset, in those units."""
        return images * samples.HOUNSFIELD_RANGE if self.is_ct else images


def read(folder: Path) -> Finished:
    """Return what a run left in a folder.

    Args:
      folder: a workdir of `run`.

    Raises:
      ValueError: if it is no folder of a finished run, or one of an older version.
    """
    if not (folder / "metrics.json").is_file():
        raise ValueError(f"{folder} holds no finished run (there is no metrics.json).")
    arrays, attrs = hdf5.contents(folder / "reconstructions.h5")
    if "diverged" not in arrays:
        raise ValueError(f"{folder} was written by an older version; run it again.")
    scale = arrays["scale"][:, None, None]
    image = int(arrays["strip/image"][0]) if "strip/image" in arrays else 0
    strip = arrays.get("strip/x0_hat")
    return Finished(
        name=str(folder),
        facts=_json(folder / "metrics.json"),
        config=_json(folder / "config.json"),
        environment=_json(folder / "environment.json"),
        baseline_name=str(attrs["baseline"]),
        images=_magnitudes(arrays, ("reconstruction", "baseline", "reference"), scale),
        maps=_magnitudes(arrays, ("null_space", "std"), scale),
        scores=_scores(folder / "metrics.csv"),
        data_residual=arrays["data_residual"],
        diverged=arrays["diverged"],
        steps=arrays["steps/data_residual"],
        strip=None if strip is None else magnitude(strip / scale[image]),
        strip_steps=arrays.get("strip/step"),
        strip_image=image,
    )


def magnitude(images: np.ndarray) -> np.ndarray:
    """Return complex images as magnitudes; real ones keep their sign."""
    return np.abs(images) if np.iscomplexobj(images) else images


def _magnitudes(
    arrays: dict[str, np.ndarray], names: tuple[str, ...], scale: np.ndarray
) -> dict[str, np.ndarray]:
    return {k: magnitude(arrays[k] / scale) for k in names if k in arrays}


def _json(path: Path) -> dict[str, Any]:
    """Return a file of JSON.

    Raises:
      ValueError: if it cannot be read.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: not readable ({error}); run it again.") from None


def _scores(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    numbers = [name for name in rows[0] if name not in prepared.WHOSE]
    return {k: np.array([float(row[k]) for row in rows]) for k in numbers}
