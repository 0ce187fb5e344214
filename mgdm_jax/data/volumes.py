"""What readers of data sets share: volumes found, and values brought to [0, 1].

A reader is a module with `find(root) -> list[Volume]` and `load(volume, …) -> Slices`.
Axial slices lie as a radiologist sees them: rows from anterior to posterior, columns
from the patient's right to left, slices from feet to head.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from mgdm_jax.data import prepared, resize, samples

OUTLIERS = 6.0
"""Standard deviations above the mean where brain magnitudes are cut off."""

AIR = -200.0
"""Something of every CT is below, in HU: air is at -1000."""

SIGNED = 0.01
"""Share of clearly negative values from which a volume is none of magnitudes."""

FITS = ("crop", "resample")


@dataclasses.dataclass(frozen=True)
class Volume:
    """One volume of a data set, not read yet.

    Attributes:
      subject: the person; all volumes of one go into the same split.
      name: of the volume, unique in the data set.
      paths: files it is made of.
    """

    subject: str
    name: str
    paths: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Target:
    """What all slices are brought to.

    Attributes:
      size: height and width; None as they are.
      fit: "crop" (and pad with zeros, around the same centre) or "resample", padded to
        a square first. "auto" resamples CT, whose field of view is the body, and
        crops all else. Pixels are square before that (`resize.square`).
    """

    size: int | None = None
    fit: str = "auto"

    def of(self, images: np.ndarray) -> np.ndarray:
        """Return images [n, h, w] of that size, float32 or complex64."""
        kept = np.complex64 if np.iscomplexobj(images) else np.float32
        if self.size is not None:
            if self.fit == "resample":
                side = max(images.shape[1:])
                images = resize.crop_or_pad(images, (side, side))
                images = resize.resample(images, (self.size, self.size))
            images = resize.crop_or_pad(images, (self.size, self.size))
        return np.ascontiguousarray(images, kept)

    def enlargement(self, shape: tuple[int, ...]) -> float:
        """Return the size of a pixel after `of` over that before."""
        if self.fit != "resample" or self.size is None:
            return 1.0
        return max(shape) / self.size


def magnitudes(
    volume: np.ndarray,
    spacing: tuple[float, float],
    target: Target,
    label: str,
    keep: slice | None = None,
) -> prepared.Slices:
    """Return the slices of one MRI contrast, 1 being its brightest value.

    As Song et al. 2022 prepared BraTS (https://arxiv.org/abs/2111.08005): values more
    than `OUTLIERS` standard deviations above the mean, both taken over the box around
    what is not zero, are cut off there; negative ones are zero.

    Args:
      volume: [n, h, w] in the scanner's arbitrary units.
      spacing: height and width of its pixels in mm.
      target: size of the slices.
      label: the contrast's name.
      keep: slices wanted; None for all.

    Raises:
      ValueError: if the volume is empty, not finite, or none of magnitudes.
    """
    _check_magnitudes(_finite(volume))
    volume, pixel_mm = resize.square(np.maximum(volume, 0), spacing)
    if not volume.any():
        raise ValueError("the volume is zero throughout.")
    box = volume[tuple(slice(i.min(), i.max() + 1) for i in np.nonzero(volume))]
    brightest = min(box.max(), box.mean() + OUTLIERS * box.std())
    position = np.arange(len(volume))[keep or slice(None)]
    images = target.of(np.minimum(volume[position], brightest) / brightest)
    return prepared.Slices(
        images=np.clip(images, 0, 1),
        label=[label] * len(position),
        position=position,
        scale=np.full(len(position), brightest, np.float32),
        pixel_mm=pixel_mm * target.enlargement(volume.shape[1:]),
        units=prepared.MAGNITUDES,
    )


def hounsfield(
    volume: np.ndarray, spacing: tuple[float, float], target: Target
) -> prepared.Slices:
    """Return CT slices as clip((HU + 1024) / 2048, 0, 1).

    Args:
      volume: [n, h, w] in Hounsfield units.
      spacing: height and width of its pixels in mm.
      target: size of the slices.

    Raises:
      ValueError: if the volume is not finite, or nothing of it is air.
    """
    least = _finite(volume).min()
    if least > AIR:
        raise ValueError(
            f"its least value is {least:g}: no Hounsfield units, of which air has "
            "-1000; rescale it to these."
        )
    volume, pixel_mm = resize.square(volume, spacing)
    if target.fit == "auto":
        target = dataclasses.replace(target, fit="resample")
    images = target.of(samples.from_hounsfield(volume))
    return prepared.Slices(
        images=np.clip(images, 0, 1),
        label=["ct"] * len(volume),
        position=np.arange(len(volume)),
        scale=np.full(len(volume), 2048, np.float32),
        pixel_mm=pixel_mm * target.enlargement(volume.shape[1:]),
        units=prepared.HOUNSFIELD,
    )


def _finite(volume: np.ndarray) -> np.ndarray:
    if volume.ndim != 3 or not volume.size:
        raise ValueError(f"a volume must be [n, h, w], got shape {volume.shape}.")
    if not np.isfinite(volume).all():
        raise ValueError("the volume holds NaN or infinite values.")
    return volume


def _check_magnitudes(volume: np.ndarray) -> None:
    share = (volume < -0.05 * np.abs(volume).max()).mean()
    if share > SIGNED:
        raise ValueError(
            f"{share:.0%} of its values are negative, down to {volume.min():g}: no "
            "magnitudes; CT wants --modality ct, or Modality CT in DICOM's headers."
        )


def joined(parts: Sequence[prepared.Slices]) -> prepared.Slices:
    """Return the slices of several contrasts one after another."""
    return prepared.Slices(
        images=np.concatenate([part.images for part in parts]),
        label=[label for part in parts for label in part.label],
        position=np.concatenate([part.position for part in parts]),
        scale=np.concatenate([part.scale for part in parts]),
        pixel_mm=parts[0].pixel_mm,
        units=parts[0].units,
    )
