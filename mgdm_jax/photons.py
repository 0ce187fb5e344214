"""Low-dose CT: Poisson counts behind an object, and their logarithm.

A detector meets n ~ Poisson(I₀ exp(-p)) photons, p the line integral of attenuation;
the sinogram is log(I₀/n), whose variance is about 1/n: white noise it is not.
"""

import numpy as np

WATER_PER_MM = 0.0193
"""Attenuation of water at 70 keV, the mean energy of a 120 kVp beam (NIST XCOM)."""

PER_UNIT = 2.048 * WATER_PER_MM
"""Attenuation per mm where the image is 1: clip((HU + 1024) / 2048, 0, 1).

Air at -1000 HU is .012 there, not 0, as if it weakened the beam by 2 % of water's.
"""


def low_dose(
    rng: np.random.Generator,
    sinogram: np.ndarray,
    photons: float,
    mm_per_unit: float | np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a noisy sinogram and the deviation of each ray, both in operator units.

    Args:
      rng: of the counts.
      sinogram: [..., v, d] noiseless, operator units.
      photons: I₀ > 0, photons a detector and view without an object. A ray that no
        photon survives counts as one.
      mm_per_unit: millimetres of an image of value 1 that make up one operator unit;
        of a stack [..., 1, 1] where slices differ.
    """
    integral = PER_UNIT * mm_per_unit * np.asarray(sinogram, np.float64)
    counts = np.maximum(rng.poisson(photons * np.exp(-integral)), 1)
    noisy = np.log(photons / counts)
    both = (noisy, deviation(noisy, photons))
    noisy, spread = (values / (PER_UNIT * mm_per_unit) for values in both)
    return noisy.astype(np.float32), spread.astype(np.float32)


def deviation(integral: np.ndarray, photons: float) -> np.ndarray:
    """Return the deviation 1/√n of measured integrals of attenuation, n = I₀ exp(-p).

    Args:
      integral: p, of counts or noiseless, no unit.
      photons: I₀ > 0, see `low_dose`; a ray counts for one at least, and for no more.
    """
    counts = photons * np.exp(-np.asarray(integral, np.float64))
    return 1 / np.sqrt(np.clip(counts, 1, photons))
