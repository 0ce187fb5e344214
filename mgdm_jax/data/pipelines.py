"""Grain pipelines of training images.

Batches are [b, h, w, channels] float32 in operator units: one channel in [0, 1], or
real and imaginary part in [-1, 1] for complex MRI, whose phase is simulated.
"""

from collections.abc import Sequence

import grain
import numpy as np

from mgdm_jax.data import augment, plain_slices, prepared, samples

N_DRAWS = 2**31
"""Length of the stream; every index is another draw."""


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
        plain_slices.check_modality(modality, channels)
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
        return plain_slices.with_channels(rng, image, self._channels)

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
        plain_slices.check_channels(path, self._images[0], channels)

    def __len__(self) -> int:
        """Return the number of draws before the stream ends."""
        return N_DRAWS

    def __getitem__(self, index: int) -> np.ndarray:
        """Return draw `index`, [h, w, channels] float32."""
        _, _, channels, seed = self._identity
        rng = np.random.default_rng([seed, int(index)])
        image = self._images[int(rng.integers(len(self._images)))]
        if not np.iscomplexobj(image):
            return plain_slices.with_channels(rng, image, channels)
        return plain_slices.parts(image * np.exp(1j * rng.uniform(-np.pi, np.pi)))

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
