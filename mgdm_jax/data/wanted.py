"""Whether prepared images are those that a configuration asks for."""

import itertools
import os
from typing import get_args

from mgdm_jax.data import prepared, samples, splits


def subject(path: str | os.PathLike[str], name: str | None) -> str | None:
    """Return whose images of a file are wanted; None for everybody's.

    Args:
      path: of prepared images.
      name: `data.subject`. It is a subject of the sample by default: where the file has
        nobody of that name, everybody is wanted.

    Raises:
      ValueError: if it is neither the file's nor the sample's.
    """
    present = prepared.names(path, "subject")
    if name is None or name in present:
        return name
    kinds = itertools.product(get_args(samples.Modality), get_args(samples.Split))
    if any(name in samples.subjects(*kind) for kind in kinds):
        return None
    raise ValueError(
        f"{path} has nobody named {name}, as data.subject says; there are "
        f"{splits.listed(present)}."
    )


def check_modality(path: str | os.PathLike[str], *, ct: bool) -> None:
    """Refuse images of MRI where CT is wanted, and of CT where MRI is.

    Units of somebody else's are let through.

    Raises:
      ValueError: naming the file.
    """
    units = prepared.units(path)
    if units in (
        (prepared.MAGNITUDES, prepared.COMPLEX) if ct else (prepared.HOUNSFIELD,)
    ):
        held, wanted = ("MRI", "CT") if ct else ("CT", "MRI")
        raise ValueError(
            f"{path} holds images of {held} ({units}), this configuration is for "
            f"{wanted}; give it a file of these, or take a configuration for {held}."
        )
