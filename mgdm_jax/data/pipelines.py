"""Grain pipelines of training images, and fixed images for validation.

Batches are [b, h, w, channels] float32 in operator units: one channel in [0, 1], or
real and imaginary part in [-1, 1] for complex MRI, whose phase is simulated.
"""

from collections.abc import Sequence

import grain
import numpy as np

from mgdm_jax.data import augment, prepared, samples
from mgdm_jax.operators import coils

N_DRAWS = 2**31
"""Length of the stream; every index is another draw."""

MAX_PHASE = np.pi / 2
"""Largest smooth phase of a simulated complex image in radians."""


class AugmentedSlices:
    """Random-access source of augmented slices; record i depends on (seed, i) only.

    Args:
      modality: "brain" or "chest".
      subjects: names of training volumes.
      channels: 1 for magnitudes, 2 for complex brains.
      seed: of the whole stream.

    Raises:
      ValueError: for no subject, an unknown one, or channels that do not fit.
    """

    def __init__(
        self,
        modality: samples.Modality,
        subjects: Sequence[str],
        *,
        channels: int,
        seed: int,
    ):
        _check(modality, channels)
        if not subjects:
            raise ValueError("subjects must name at least one training volume.")
        self._identity = (modality, tuple(subjects), channels, seed)
        self._brain = modality == "brain"
        self._channels = channels
        self._seed = seed
        self._volumes = tuple(
            augment.prepare(
                samples.load_volume(modality, "train", subject),
                samples.spacing_mm(modality, "train", subject),
            )
            for subject in subjects
        )

    def __len__(self) -> int:
        """Return the number of draws before the stream ends."""
        return N_DRAWS

    def __getitem__(self, index: int) -> np.ndarray:
        """Return draw `index`, [h, w, channels] float32."""
        rng = np.random.default_rng([self._seed, int(index)])
        if self._brain:
            image = augment.draw_slice(rng, self._volumes, augment.BRAIN)
            image = augment.brain_contrast(rng, image)
        else:
            image = augment.draw_slice(rng, self._volumes, augment.CHEST)
            image = augment.chest_contrast(rng, image)
        return with_channels(rng, image, self._channels)

    def __repr__(self) -> str:
        """Return what identifies the stream; it enters grain's checkpoints."""
        return f"AugmentedSlices{self._identity}"


class PreparedSlices:
    """Random-access source of prepared images; record i depends on (seed, i) only.

    Magnitudes get a simulated phase where two channels are asked for; complex images
    are turned by a global phase, uniform, which no scan determines.

    Args:
      path: file of `data.prepared`.
      split: of its subjects.
      channels: 1 for magnitudes, 2 for complex images.
      seed: of the whole stream.

    Raises:
      ValueError: if the file has no such split, or channels do not fit.
    """

    def __init__(self, path: str, split: str, *, channels: int, seed: int):
        self._identity = (path, split, channels, seed)
        self._images = prepared.Images(path, split)
        _check_channels(path, self._images[0], channels)

    def __len__(self) -> int:
        """Return the number of draws before the stream ends."""
        return N_DRAWS

    def __getitem__(self, index: int) -> np.ndarray:
        """Return draw `index`, [h, w, channels] float32."""
        _, _, channels, seed = self._identity
        rng = np.random.default_rng([seed, int(index)])
        image = self._images[int(rng.integers(len(self._images)))]
        if not np.iscomplexobj(image):
            return with_channels(rng, image, channels)
        return _parts(image * np.exp(1j * rng.uniform(-np.pi, np.pi)))

    def __repr__(self) -> str:
        """Return what identifies the stream; it enters grain's checkpoints."""
        return f"PreparedSlices{self._identity}"


def training_dataset(
    source: AugmentedSlices | PreparedSlices,
    *,
    batch_size: int,
    prefetch: int = 8,
    process: int = 0,
    n_processes: int = 1,
) -> grain.IterDataset:
    """Return endless batches [b, h, w, channels] of training slices, or parts of them.

    The iterator's state (`get_state`, `set_state`) resumes bit for bit.

    Args:
      source: of single slices.
      batch_size: images a batch.
      prefetch: batches made ahead by one background thread.
      process: of n_processes, whose parts of a batch in turn are the batch.
      n_processes: of which batch_size is a multiple.
    """
    parts = grain.MapDataset.source(source).batch(
        batch_size // n_processes, drop_remainder=True
    )
    if n_processes > 1:
        parts = parts.slice(slice(process, None, n_processes))
    return parts.to_iter_dataset(
        grain.ReadOptions(num_threads=1, prefetch_buffer_size=prefetch)
    )


def to_channels(path: str, images: np.ndarray, channels: int) -> np.ndarray:
    """Return prepared images [n, h, w] as [n, h, w, channels] float32.

    Args:
      path: where they come from, for messages.
      images: magnitudes, or complex ones.
      channels: 1, or 2 for complex images; the phase of magnitudes is simulated then,
        fixed by their place.

    Raises:
      ValueError: if the channels do not fit.
    """
    _check_channels(path, images, channels)
    if np.iscomplexobj(images):
        return _parts(images)
    return np.stack(
        [
            with_channels(np.random.default_rng(i), image, channels)
            for i, image in enumerate(images)
        ]
    )


def validation_slices(
    modality: samples.Modality,
    subject: str,
    n: int,
    *,
    channels: int = 1,
    split: samples.Split = "train",
) -> np.ndarray:
    """Return n un-augmented slices [n, h, w, channels] float32, evenly spaced.

    Near-empty slices are left out; the phase of complex images is fixed by the slice.

    Args:
      modality: "brain" or "chest".
      subject: name of the volume.
      n: number of slices.
      channels: 1 for magnitudes, 2 for complex brains.
      split: where the volume lies; a held-back training subject by default.

    Raises:
      ValueError: for an unknown subject, or more slices than there are.
    """
    _check(modality, channels)
    values = samples.load_volume(modality, split, subject)
    full = np.flatnonzero(augment.usable(values) >= 0.5)
    if not 1 <= n <= len(full):
        raise ValueError(f"n must lie in [1, {len(full)}] for {subject}, got {n}.")
    chosen = full[np.linspace(0, len(full) - 1, n).round().astype(int)]
    return np.stack(
        [
            with_channels(np.random.default_rng(int(i)), values[i], channels)
            for i in chosen
        ]
    )


def with_channels(
    rng: np.random.Generator, image: np.ndarray, channels: int
) -> np.ndarray:
    """Return [h, w, channels]: the magnitude itself, or under a simulated phase.

    The phase is a global one, uniform, plus a smooth one (`coils.smooth_phase`).
    """
    if channels == 1:
        return np.ascontiguousarray(image[..., None])
    phase = coils.smooth_phase(
        (image.shape[0], image.shape[1]),
        seed=int(rng.integers(2**31)),
        max_phase=rng.uniform(0, MAX_PHASE),
    )
    phase = phase + np.float32(rng.uniform(-np.pi, np.pi))
    return _parts(image * np.exp(1j * phase))


def _parts(image: np.ndarray) -> np.ndarray:
    """Return real and imaginary part along a last axis, float32."""
    return np.stack([np.real(image), np.imag(image)], -1).astype(np.float32)


def _check_channels(path: str, image: np.ndarray, channels: int) -> None:
    if channels not in (1, 2) or (np.iscomplexobj(image) and channels == 1):
        held = "complex images" if np.iscomplexobj(image) else "magnitudes"
        raise ValueError(
            f"{path} holds {held}, which have no {channels} channels; give 2 for "
            "complex images."
        )


def _check(modality: samples.Modality, channels: int) -> None:
    allowed = (1, 2) if modality == "brain" else (1,)
    if channels not in allowed:
        raise ValueError(
            f"channels of {modality} must be in {allowed}, got {channels}."
        )
