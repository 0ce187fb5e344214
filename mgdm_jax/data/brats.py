"""BraTS 2021 (and the names of 2023): four registered contrasts a subject, 240×240.

Slices and values as Song et al. 2022 (https://arxiv.org/abs/2111.08005) prepared them,
facts read in their public script: of the slices where T1 is not zero, those from the
41st to the 26th last, about 60 a subject; each contrast scaled over its volume, see
`volumes.magnitudes`. Unlike there, values are not rounded to 8 bits.
"""

import re
from pathlib import Path

import numpy as np

from mgdm_jax.data import nifti, prepared, volumes

CONTRASTS = {
    "t1": ("_t1", "-t1n"),
    "t1ce": ("_t1ce", "-t1c"),
    "t2": ("_t2", "-t2w"),
    "flair": ("_flair", "-t2f"),
}
"""Contrast -> ends of the file names, 2021 and 2023."""

_VISIT = re.compile(r"^(BraTS-[A-Za-z]+-\d{5})-\d{3}$")
"""Folder's name since 2023: a person, and which of the person's scans it is."""

SIZE = 240
SKIPPED_BELOW, SKIPPED_ABOVE = 40, 25
"""Slices left out at the feet's and the head's end of the brain."""


def find(root: Path) -> list[volumes.Volume]:
    """Return the subjects below a folder that have all four contrasts, T1 first.

    A folder without T1 is no subject; one that lacks another contrast is listed, and
    refused by `load`.
    """
    found = []
    for folder in sorted({p.parent for p in root.rglob("*.nii*")}):
        paths = {name: _contrast(folder, ends) for name, ends in CONTRASTS.items()}
        if paths["t1"]:
            given = tuple(str(p) for p in paths.values() if p)
            subject = _VISIT.sub(r"\1", folder.name)
            found.append(volumes.Volume(subject, folder.name, given))
    return found


def _contrast(folder: Path, ends: tuple[str, str]) -> Path | None:
    for end in ends:
        for suffix in nifti.SUFFIXES:
            matches = sorted(folder.glob(f"*{end}{suffix}"))
            if matches:
                return matches[0]
    return None


def load(volume: volumes.Volume, target: volumes.Target) -> prepared.Slices:
    """Return the slices of one subject, contrast after contrast.

    Raises:
      ValueError: if a contrast is missing, or the volumes do not fit together.
    """
    if len(volume.paths) != len(CONTRASTS):
        raise ValueError(f"{volume.name} lacks one of {', '.join(CONTRASTS)}.")
    each = [nifti.read(path) for path in volume.paths]
    if len({values.shape for values, _ in each}) > 1:
        raise ValueError(f"the contrasts of {volume.name} differ in shape.")
    keep = brain_slices(each[0][0])
    return volumes.joined(
        [
            volumes.magnitudes(values, spacing, target, label, keep)
            for label, (values, spacing) in zip(CONTRASTS, each, strict=True)
        ]
    )


def brain_slices(t1: np.ndarray) -> slice:
    """Return the slices used of a T1 volume [n, h, w].

    Raises:
      ValueError: if too few of them show the brain.
    """
    shown = np.flatnonzero(t1.any(axis=(1, 2)))
    if len(shown) <= SKIPPED_BELOW + SKIPPED_ABOVE:
        raise ValueError(
            f"T1 shows the brain in {len(shown)} slices; more than "
            f"{SKIPPED_BELOW + SKIPPED_ABOVE} are needed."
        )
    return slice(int(shown[0]) + SKIPPED_BELOW, int(shown[-1]) - SKIPPED_ABOVE + 1)
