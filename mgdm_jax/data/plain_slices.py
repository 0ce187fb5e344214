"""Images as channels: fixed slices of the sample, prepared images, simulated phase.

[h, w, channels] float32 in operator units: one channel in [0, 1], or real and imaginary
part in [-1, 1] for complex MRI, whose phase is simulated.
"""

import numpy as np

from mgdm_jax import evenly
from mgdm_jax.data import samples
from mgdm_jax.operators import coils

FOREGROUND = 0.08
"""Values above are head or body rather than air."""

MAX_PHASE = np.pi / 2
"""Largest smooth phase of a simulated complex image in radians."""


def usable(values: np.ndarray) -> np.ndarray:
    """Return how much each slice [h, w] of a volume [n, h, w] is worth, [n] in [0, 1].

    It grows with the slice's foreground and is 1 from half that of the fullest slice
    on: near-empty slices are mildly avoided.

    Raises:
      ValueError: if the volume has no foreground.
    """
    foreground = (values > FOREGROUND).mean((1, 2))
    if foreground.max() == 0:
        raise ValueError(f"volume has no foreground: no value exceeds {FOREGROUND}.")
    return np.minimum(1, 2 * foreground / foreground.max())


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
    check_channels(path, images, channels)
    if np.iscomplexobj(images):
        return parts(images)
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
    check_modality(modality, channels)
    values = samples.load_volume(modality, split, subject)
    full = np.flatnonzero(usable(values) >= 0.5)
    if not 1 <= n <= len(full):
        raise ValueError(f"n must lie in [1, {len(full)}] for {subject}, got {n}.")
    chosen = full[evenly.spaced(len(full), n)]
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
    return parts(image * np.exp(1j * phase))


def parts(image: np.ndarray) -> np.ndarray:
    """Return real and imaginary part along a last axis, float32."""
    return np.stack([np.real(image), np.imag(image)], -1).astype(np.float32)


def check_channels(path: str, image: np.ndarray, channels: int) -> None:
    """Refuse to make so many channels of images, named by where they come from."""
    if channels not in (1, 2) or (np.iscomplexobj(image) and channels == 1):
        held = "complex images" if np.iscomplexobj(image) else "magnitudes"
        raise ValueError(
            f"{path} holds {held}, which have no {channels} channels; give 2 for "
            "complex images."
        )


def check_modality(modality: samples.Modality, channels: int) -> None:
    """Refuse channels that a modality of the sample does not have."""
    allowed = (1, 2) if modality == "brain" else (1,)
    if channels not in allowed:
        raise ValueError(
            f"channels of {modality} must be in {allowed}, got {channels}."
        )
