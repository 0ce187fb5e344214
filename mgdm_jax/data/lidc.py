"""LIDC-IDRI: axial chest CT in DICOM series, resampled to 320×320.

The paper's slices are 320×320 (section 4); how they were made of 512×512 is not said.
Here they are resampled and keep their field of view: pixels become 1.6 times as wide.
Radiographs, which the collection also holds, and broken series are refused.
"""

from pathlib import Path

from mgdm_jax.data import dicom, prepared, volumes

SIZE = 320


def find(root: Path) -> list[volumes.Volume]:
    """Return the series below a folder; see `dicom.find`."""
    return dicom.find(root)


def load(volume: volumes.Volume, target: volumes.Target) -> prepared.Slices:
    """Return the slices of one axial CT series.

    Raises:
      ValueError: if the series is none, or broken.
    """
    return dicom.load(volume, target, only_axial_ct=True)
