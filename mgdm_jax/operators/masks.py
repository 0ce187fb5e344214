"""Sampling masks, made on the host: float32 zeros and ones in CENTRED order.

Convert with `fourier.centred_to_corner_mask` before building an operator. Every seed
feeds `numpy.random.default_rng`, so a mask is a function of its arguments.

All but `radial` contain a fully sampled centre of min(8 %, 32 % / R) of each axis:
fastMRI's 8 % at 4×, 4 % at 8×, and small enough for 24×.
"""

import numpy as np

_GOLDEN_ANGLE = np.pi * (np.sqrt(5) - 1) / 2


def make_mask(
    kind: str, shape: tuple[int, int], acceleration: float, seed: int
) -> np.ndarray:
    """Return a mask [h, w], centred order.

    Args:
      kind: "equispaced", "random" or "gaussian1d" (whole columns), "gaussian2d" or
        "radial".
      shape: (h, w).
      acceleration: R ≥ 1, nominal: |M| ≈ h·w/R, centre included.
      seed: of `numpy.random.default_rng`.

    Raises:
      ValueError: for an unknown kind, R < 1, or an R that leaves less than the
        centre block.
    """
    h, w = shape
    if acceleration < 1:
        raise ValueError(f"acceleration must be at least 1, got {acceleration}.")
    match kind:
        case "equispaced":
            columns = equispaced_columns(w, acceleration, seed)
        case "random":
            columns = random_columns(w, acceleration, seed)
        case "gaussian1d":
            columns = gaussian_columns(w, acceleration, seed)
        case "gaussian2d":
            return gaussian_points(shape, acceleration, seed)
        case "radial":
            return radial_spokes(shape, acceleration, seed)
        case _:
            raise ValueError(
                "kind must be one of equispaced, random, gaussian1d, gaussian2d, "
                f"radial; got {kind!r}."
            )
    return np.tile(columns, (h, 1))


def equispaced_columns(n: int, acceleration: float, seed: int) -> np.ndarray:
    """Return [n]: the centre block and evenly spaced columns at a random offset.

    The spacing is fastMRI's adjusted acceleration, R (n - b) / (n - R b) for a block
    of b columns, which makes the total n/R on average over the offsets.

    Raises:
      ValueError: if n/R columns are fewer than the centre block.

    References:
      Zbontar et al., https://arxiv.org/abs/1811.08839, EquispacedMaskFractionFunc.
    """
    mask = _centre_block(n, acceleration)
    block = int(mask.sum())
    _require_room(n / acceleration, block)
    if n <= acceleration * block:
        return mask
    spacing = acceleration * (n - block) / (n - acceleration * block)
    rng = np.random.default_rng(seed)
    offset = rng.integers(0, max(1, round(spacing)))
    # Up to n - 0.5, where fastMRI stops at n - 1: R = 1 samples everything.
    mask[np.round(np.arange(offset, n - 0.5, spacing)).astype(int)] = 1
    return mask


def random_columns(n: int, acceleration: float, seed: int) -> np.ndarray:
    """Return [n]: the centre block and uniformly drawn columns, round(n/R) in all.

    Raises:
      ValueError: if n/R columns are fewer than the centre block.
    """
    return _fill(_centre_block(n, acceleration), acceleration, np.ones(n), seed)


def gaussian_columns(n: int, acceleration: float, seed: int) -> np.ndarray:
    """Return [n]: the centre block and columns drawn from a Gaussian about DC.

    Drawn with standard deviation 15 n/128 as in Score-MRI
    (https://arxiv.org/abs/2110.05243), repeats rejected, until round(n/R) in all.

    Raises:
      ValueError: if n/R columns are fewer than the centre block.
    """
    density = _gaussian(n, 15 / 128)
    return _fill(_centre_block(n, acceleration), acceleration, density, seed)


def gaussian_points(
    shape: tuple[int, int], acceleration: float, seed: int
) -> np.ndarray:
    """Return [h, w]: a centre block and points drawn from a 2-D Gaussian about DC.

    Standard deviation √(1.5/128) of each side, as in Score-MRI; round(h·w/R) in all.

    Raises:
      ValueError: if h·w/R points are fewer than the centre block.
    """
    spread = np.sqrt(1.5 / 128)
    density = np.outer(*(_gaussian(n, spread) for n in shape))
    block = np.outer(*(_centre_block(n, acceleration) for n in shape))
    return _fill(block, acceleration, density, seed)


def radial_spokes(shape: tuple[int, int], acceleration: float, seed: int) -> np.ndarray:
    """Return [h, w]: diameters through DC at golden angles from a random start.

    Spokes are added until at least h·w/R points are sampled.

    Raises:
      ValueError: if one spoke is already more than twice that.
    """
    h, w = shape
    mask = np.zeros(shape, np.float32)
    goal = h * w / acceleration
    angle = np.random.default_rng(seed).uniform(0, np.pi)
    # √2 reaches the corners of the square; half-pixel steps leave no gaps.
    radius = np.linspace(-np.sqrt(2), np.sqrt(2), 4 * max(h, w) + 1)
    while mask.sum() < goal:
        row = np.round(h // 2 + radius * np.sin(angle) * h / 2).astype(int)
        col = np.round(w // 2 + radius * np.cos(angle) * w / 2).astype(int)
        inside = (row >= 0) & (row < h) & (col >= 0) & (col < w)
        mask[row[inside], col[inside]] = 1
        angle += _GOLDEN_ANGLE
    if mask.sum() > 2 * goal:
        raise ValueError(
            f"acceleration must allow one spoke of {int(mask.sum())} points, got "
            f"{acceleration} for shape ({h}, {w})."
        )
    return mask


def nominal_acceleration(mask: np.ndarray) -> float:
    """Return N/|M|: pixels over sampled frequencies, centre included."""
    return mask.size / np.count_nonzero(mask)


def effective_acceleration(mask: np.ndarray, real_image: bool) -> float:
    """Return N/|M ∪ -M| for real images, N/|M| for complex ones.

    A real image has a Hermitian spectrum: sampling k measures -k as well, and a
    random mask then asks for up to half the acceleration it names (the "implicit
    data crime" of Shimron et al., https://doi.org/10.1073/pnas.2117203119).

    Args:
      mask: [h, w], centred order.
      real_image: whether images are real-valued.
    """
    if not real_image:
        return nominal_acceleration(mask)
    corner = np.fft.ifftshift(mask) > 0
    return mask.size / np.count_nonzero(corner | mirrored(corner))


def mirrored(corner: np.ndarray) -> np.ndarray:
    """Return M(-k) of M(k), [h, w] in corner order, whose first index is its own."""
    return np.roll(np.flip(corner), (1, 1), (0, 1))


def _centre_block(n: int, acceleration: float) -> np.ndarray:
    block = max(1, round(n * min(0.08, 0.32 / acceleration)))
    mask = np.zeros(n, np.float32)
    start = (n - block + 1) // 2
    mask[start : start + block] = 1
    return mask


def _gaussian(n: int, spread: float) -> np.ndarray:
    return np.exp(-0.5 * ((np.arange(n) - n // 2) / (spread * n)) ** 2)


def _require_room(goal: float, block: int) -> None:
    if goal < block or goal < 1:
        raise ValueError(
            f"acceleration must leave at least the centre block of {block}, got "
            f"one that leaves {goal:.2f}."
        )


def _fill(
    mask: np.ndarray, acceleration: float, density: np.ndarray, seed: int
) -> np.ndarray:
    """Add positions drawn one by one in proportion to `density`, without repeats."""
    goal = round(mask.size / acceleration)
    n_missing = goal - int(mask.sum())
    _require_room(goal, int(mask.sum()))
    # The largest exponential clocks: sampling without replacement, safe for densities
    # that underflow (log) where numpy's `choice` gives up.
    rng = np.random.default_rng(seed)
    with np.errstate(divide="ignore"):
        score = np.log(density) + rng.gumbel(size=density.shape)
    score[mask > 0] = -np.inf
    chosen = np.argsort(score, axis=None)[mask.size - n_missing :]
    mask.reshape(-1)[chosen] = 1
    return mask
