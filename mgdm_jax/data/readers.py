"""A data set's name becomes its reader; the one place where that happens."""

import dataclasses
import importlib
from pathlib import Path
from typing import Any

from mgdm_jax.data import prepared, volumes

NAMES = ("brats", "fastmri", "lidc", "dicom", "nifti")

WANTED = {
    "fastmri": "HDF5 files of `kspace` and `ismrmrd_header`; other k-space goes to "
    "`mgdm-jax reconstruct`",
}
"""What a reader's volumes are, where its name alone may mislead."""

SIZES = {"brats": 240, "lidc": 320}
"""Size of the paper's slices where the data set's own is another; None: as it is."""


@dataclasses.dataclass(frozen=True)
class Reader:
    """A data set's reader and what it is told; travels to other processes.

    Attributes:
      name: one of `NAMES`.
      target: size of the slices.
      modality: of NIfTI volumes, "mr" or "ct".
    """

    name: str
    target: volumes.Target
    modality: str = "mr"

    @property
    def known(self) -> str:
        """The reader's name and what it knows, for messages."""
        wanted = WANTED.get(self.name)
        return f"{self.name} knows" + (f": expected {wanted}" if wanted else "")

    def find(self, root: Path) -> list[volumes.Volume]:
        """Return the volumes below a folder.

        Raises:
          ValueError: if a library is missing.
        """
        return self._module().find(root)

    def load(self, volume: volumes.Volume) -> prepared.Slices:
        """Return the slices of one volume.

        Raises:
          ValueError: if it cannot be used.
        """
        module = self._module()
        if self.name == "nifti":
            return module.load(volume, self.target, self.modality)
        return module.load(volume, self.target)

    def _module(self) -> Any:
        # Imported when asked for: their libraries are an extra.
        try:
            return importlib.import_module(f"mgdm_jax.data.{self.name}")
        except ModuleNotFoundError as error:
            raise ValueError(
                f"{self.name} needs {error.name}; pip install mgdm-jax[formats]."
            ) from None


def make(name: str, size: int | None, fit: str, modality: str) -> Reader:
    """Return the reader of a data set.

    Args:
      name: one of `NAMES`.
      size: of the slices; None for the data set's own, or the paper's.
      fit: "auto", or one of `volumes.FITS`, see `volumes.Target`.
      modality: of NIfTI volumes, "mr" or "ct".

    Raises:
      ValueError: for an unknown name or a size that is not positive.
    """
    if name not in NAMES:
        raise ValueError(f"the data set must be one of {', '.join(NAMES)}, got {name}.")
    if size is not None and size < 8:
        raise ValueError(f"--size must be at least 8, got {size}.")
    if fit == "resample" and name == "fastmri":
        raise ValueError("fastMRI's complex images are cropped, not resampled.")
    target = volumes.Target(SIZES.get(name) if size is None else size, fit)
    return Reader(name, target, modality)
