"""Small operators of every kind, for parametrised tests."""

import numpy as np

from mgdm_jax.operators import (
    block_average,
    blur,
    coils,
    fourier,
    inpainting,
    radon,
    sense,
    sparse_views,
    weighted,
)

ANGLES = np.arange(5) * 36.0


def random_mask(shape, seed=0):
    """Return an asymmetric 2-D mask with DC sampled; corner order."""
    mask = (np.random.default_rng(seed).random(shape) < 0.4).astype(np.float32)
    mask[0, 0] = 1
    return mask


def column_mask(shape, seed=0):
    columns = (np.random.default_rng(seed).random(shape[1]) < 0.5).astype(np.float32)
    columns[[0, 1, -1]] = 1
    return np.tile(columns, (shape[0], 1))


def complex_fourier(shape=(6, 7), seed=0):
    return fourier.masked_fourier(random_mask(shape, seed), (*shape, 2))


def real_fourier(shape=(6, 7), seed=0):
    return fourier.masked_fourier(random_mask(shape, seed), shape)


def multi_coil(shape=(6, 8), seed=0, spectrum=True):
    maps = coils.birdcage_sensitivities(shape, 3)
    op = sense.sense(column_mask(shape, seed), maps)
    return sense.with_row_spectrum(op) if spectrum else op


def multi_coil_masked_body(shape=(6, 8), seed=0):
    maps = coils.birdcage_sensitivities(shape, 3)
    maps[:, :, :2] = 0
    op = sense.sense(column_mask(shape, seed), maps)
    return sense.with_row_spectrum(op)


def wide_field(shape=(6, 5), field=(9, 8), seed=0):
    """Return coils whose k-space has margins, odd and even, around the image."""
    maps = coils.birdcage_sensitivities(shape, 3)
    return sense.with_row_spectrum(sense.sense(column_mask(field, seed), maps, field))


def ct(size=10, angles=ANGLES):
    return radon.with_dual_spectrum(radon.parallel_beam(angles, size), None)


def harmonics(size=6):
    return radon.with_harmonics(radon.parallel_beam(np.arange(4) * 45.0, size), None)


def skewed_blur(size=(6, 7)):
    """Return a blur whose adjoint differs from itself."""
    spread = blur.gaussian_spread(size, 0.8)
    return blur.blur(spread + np.roll(spread, 1, 1))


def weighed(size=6):
    operator = radon.parallel_beam([0.0, 50.0, 110.0], size)
    rng = np.random.default_rng(0)
    return weighted.Weighted(operator, rng.uniform(0.3, 1, (3, size)).astype("float32"))


SPECTRAL = {
    "complex": complex_fourier,
    "real_even": lambda: real_fourier((6, 8)),
    "real_odd": lambda: real_fourier((7, 5)),
    "real_mixed": lambda: real_fourier((6, 7)),
    "multi_coil": multi_coil,
    "multi_coil_body": multi_coil_masked_body,
    "wide_field": wide_field,
    "ct_even": ct,
    "inpainting": lambda: inpainting.inpainting(random_mask((5, 6))),
    "block_average": lambda: block_average.block_average((6, 9), 3),
    "blur": skewed_blur,
    "ct_odd": lambda: ct(9, [0.0, 17.0, 90.0, 133.3]),
}

WITHOUT_SPECTRUM = {
    "coils": lambda: multi_coil(spectrum=False),
    "ct": lambda: radon.parallel_beam([0.0, 50.0, 110.0], 6),
    "rotation": lambda: radon.parallel_beam([0.0, 50.0, 110.0], 7, stored=False),
    "harmonics": harmonics,
    "views": lambda: sparse_views.sparse_views(3, 6, n_full=6),
    "weighted": weighed,
}
"""Operators for conjugate gradients."""
