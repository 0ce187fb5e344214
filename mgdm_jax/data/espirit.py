"""Coil sensitivities by ESPIRiT (Uecker et al. 2014), which is sigpy's."""

import numpy as np

CALIBRATION = 24
"""Width of the calibration block where k-space is complete."""

MIN_CALIBRATION = 8
"""Least width that leaves the kernels, 6 by 6, a few places."""


def sensitivities(kspace: np.ndarray, width: int = CALIBRATION) -> np.ndarray:
    """Return maps [c, h, w] complex64 with Σ_c |S_c|² = 1 everywhere.

    Args:
      kspace: [c, h, w] centred, complete in its middle.
      width: side of that middle, see `calibration_width`.

    Raises:
      ValueError: if sigpy is not installed.
    """
    try:
        from sigpy.mri import app  # heavy: numba
    except ImportError:
        raise ValueError(
            "coil sensitivities need sigpy; pip install mgdm-jax[classical]."
        ) from None
    # crop=0 keeps maps outside the body: a hard edge would cut the reference.
    calibration = app.EspiritCalib(
        np.asarray(kspace, np.complex64), calib_width=width, crop=0, show_pbar=False
    )
    return np.asarray(calibration.run(), np.complex64)


def calibration_width(mask: np.ndarray) -> int:
    """Return the side of the complete square around DC, at most `CALIBRATION`.

    Args:
      mask: [h, w], centred.

    Raises:
      ValueError: if it is too small for a kernel of 6.
    """
    for width in range(min(CALIBRATION, *mask.shape), MIN_CALIBRATION - 1, -1):
        first = [n // 2 - width // 2 for n in mask.shape]
        if mask[first[0] : first[0] + width, first[1] : first[1] + width].all():
            return width
    raise ValueError(
        f"the mask has no complete centre of {MIN_CALIBRATION} by {MIN_CALIBRATION} to "
        "calibrate sensitivities with."
    )
