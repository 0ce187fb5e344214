"""Noise schedules: discrete VP tables, continuous VP and VE, and time grids.

A variance-preserving process is x_t = √ᾱ_t x0 + √(1-ᾱ_t) ε (Ho et al., 2020); a
variance-exploding one x_σ = x0 + σ ε (Song et al., 2020b). Tables are float64 NumPy,
made once on the host; what a sampler traces is float32.
"""

import itertools
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from mgdm_jax.types import Array, TimeGrid


def linear_betas(n: int = 1000, low: float = 1e-4, high: float = 0.02) -> np.ndarray:
    """Return [n] β from low to high, rescaled so that any n spans the same process.

    Ho et al., 2020, and guided-diffusion's "linear": 1e-4 … 0.02 at n = 1000.
    """
    return np.linspace(low * 1000 / n, high * 1000 / n, n)


def scaled_linear_betas(
    n: int = 1000, low: float = 0.00085, high: float = 0.012
) -> np.ndarray:
    """Return [n] β whose square root is linear (Rombach et al., 2022)."""
    scale = 1000 / n
    return np.linspace((low * scale) ** 0.5, (high * scale) ** 0.5, n) ** 2


def cosine_betas(n: int = 1000, max_beta: float = 0.999) -> np.ndarray:
    """Return [n] β of ᾱ(u) = cos²((u + 0.008)/1.008 · π/2) (Nichol & Dhariwal)."""
    edges = np.cos((np.linspace(0, 1, n + 1) + 0.008) / 1.008 * np.pi / 2) ** 2
    return np.minimum(1 - edges[1:] / edges[:-1], max_beta)


def alpha_bars(betas: np.ndarray) -> np.ndarray:
    """Return [n] ᾱ_t = Π (1 - β), float64.

    Raises:
      ValueError: if a β is not in (0, 1), or the first too small for float32.
    """
    betas = np.asarray(betas, np.float64)
    if np.float32(1 - betas[0]) == 1 or not ((betas > 0) & (betas < 1)).all():
        raise ValueError(
            "β must be above 3e-8, float32's rounding of ᾱ, and below 1, got "
            f"{betas.min():.3g} to {betas.max():.3g} in {len(betas)} steps."
        )
    return np.cumprod(1 - betas)


def discrete_vp(
    name: str, n: int = 1000, betas: tuple[float, float] | None = None
) -> np.ndarray:
    """Return the table ᾱ [n] of a named schedule.

    Args:
      name: "linear", "cosine" or "scaled_linear".
      n: number of training steps T.
      betas: the first and the last β of the n; by default the published, for whatever n
        one process. The cosine's follow from n.

    Raises:
      ValueError: for another name, or numbers that make no schedule.
    """
    if not 1 <= n <= 10**6 or (betas and not 0 < betas[0] <= betas[1] < 1):
        raise ValueError(
            "a schedule has 1 to 10⁶ steps, its first β in (0, its last] and that in "
            f"(0, 1); got {n} steps, {betas}."
        )
    if betas and name == "cosine":
        raise ValueError(f"the cosine schedule follows from T alone, got β {betas}.")
    ends = [beta * n / 1000 for beta in betas] if betas else []
    match name:
        case "linear":
            return alpha_bars(linear_betas(n, *ends))
        case "cosine":
            return alpha_bars(cosine_betas(n))
        case "scaled_linear":
            return alpha_bars(scaled_linear_betas(n, *ends))
        case _:
            raise ValueError(
                f"schedule must be linear, cosine or scaled_linear, got {name!r}."
            )


def continuous_vp(
    beta_fn: Callable[[Array], Array], n_knots: int = 257
) -> Callable[[Array], tuple[Array, Array]]:
    """Return t -> (μ_t, σ_t) for any β(t) on [0, 1] (appendix A.4.1).

    μ_t = exp(-½ ∫₀ᵗ β) and σ_t² = 1 - exp(-∫₀ᵗ β). The integral is taken by Simpson's
    rule between knots and interpolated by a cubic spline, both jax-cosmo's.

    Args:
      beta_fn: β(t) ≥ 0, vectorised.
      n_knots: knots of the spline on [0, 1].
    """
    from jax_cosmo.scipy.integrate import simps
    from jax_cosmo.scipy.interpolate import InterpolatedUnivariateSpline

    knots = np.linspace(0.0, 1.0, n_knots, dtype=np.float32)
    ends = itertools.pairwise(map(float, knots))
    pieces = [simps(beta_fn, *pair, 4) for pair in ends]
    integral = jnp.cumsum(jnp.stack([jnp.zeros(()), *pieces]))
    spline = InterpolatedUnivariateSpline(jnp.asarray(knots), integral)

    def marginal(t: Array) -> tuple[Array, Array]:
        # Near a β that starts at 0 the spline may undershoot: √ of it would be NaN.
        total = jnp.maximum(spline(t), 0.0)
        return jnp.exp(-total / 2), jnp.sqrt(-jnp.expm1(-total))

    return marginal


def linear_vp(
    t: Array, beta_min: float = 0.1, beta_max: float = 20.0
) -> tuple[Array, Array]:
    """Return (μ_t, σ_t) of β(t) = β_min + t (β_max - β_min) in closed form."""
    total = beta_min * t + 0.5 * (beta_max - beta_min) * t**2
    return jnp.exp(-total / 2), jnp.sqrt(-jnp.expm1(-total))


def geometric_sigmas(n: int, sigma_min: float, sigma_max: float) -> np.ndarray:
    """Return [n] σ of a VE process, from σ_max down to σ_min (Song & Ermon, 2019)."""
    return np.geomspace(sigma_max, sigma_min, n)


def vp_to_ve(x_t: Array, alpha_bar: Array) -> tuple[Array, Array]:
    """Return (x_σ, σ) with x_σ = x_t / √ᾱ and σ = √((1-ᾱ)/ᾱ)."""
    return x_t / jnp.sqrt(alpha_bar), jnp.sqrt((1.0 - alpha_bar) / alpha_bar)


def ve_to_vp(x_sigma: Array, sigma: Array) -> tuple[Array, Array]:
    """Return (x_t, ᾱ) with ᾱ = 1/(1+σ²); the inverse of `vp_to_ve`."""
    alpha_bar = 1.0 / (1.0 + sigma**2)
    return x_sigma * jnp.sqrt(alpha_bar), alpha_bar


def time_indices(n_steps: int, n_train: int = 1000, kind: str = "ddnm") -> np.ndarray:
    """Return the n_steps training times visited, from noisy to clean.

    Args:
      n_steps: network evaluations K, always met exactly. One is at the noisy end but
        for "ddnm" and "leading", whose code has it at the clean one.
      n_train: T.
      kind: "ddnm": round(i T/K), i = K-1 … 0, which is the grid of the DDNM code
        wherever K divides T; "leading": i (T//K), that code's own form, which for
        K = 350 starts at t = 698; "linspace": from T-1 to 0, as guided-diffusion's;
        "quadratic": from T-1 to 0 with √t evenly spaced, as Song et al. (DDIM, 2020)
        took for their smallest images: denser towards the clean end.

    Raises:
      ValueError: for another kind, or n_steps outside [1, T].
    """
    if not 1 <= n_steps <= n_train:
        raise ValueError(f"n_steps must lie in [1, {n_train}], got {n_steps}.")
    steps = np.arange(n_steps)[::-1]
    match kind:
        case "ddnm":
            return np.round(steps * n_train / n_steps).astype(np.int32)
        case "leading":
            return (steps * (n_train // n_steps)).astype(np.int32)
        case "linspace":
            return np.round(np.linspace(n_train - 1, 0, n_steps)).astype(np.int32)
        case "quadratic":
            falling = np.linspace(np.sqrt(n_train - 1), 0, n_steps) ** 2
            return _distinct(falling[::-1], n_train)
        case _:
            raise ValueError(
                "time_grid must be ddnm, leading, linspace, quadratic or log_snr, got "
                f"{kind!r}."
            )


def indices(n_steps: int, alpha_bar: np.ndarray, kind: str) -> np.ndarray:
    """Return the same over the times of a table ᾱ [T]; "log_snr": `log_snr_indices`.

    Raises:
      ValueError: as `time_indices`.
    """
    log_snr = kind == "log_snr"
    times = time_indices(n_steps, len(alpha_bar), "linspace" if log_snr else kind)
    return log_snr_indices(n_steps, alpha_bar) if log_snr else times


def log_snr_indices(n_steps: int, alpha_bar: np.ndarray) -> np.ndarray:
    """Return the n_steps times from T-1 to 0 with log ᾱ/(1-ᾱ) evenly spaced.

    The grid that Lu et al., "DPM-Solver", 2022, https://arxiv.org/abs/2206.00927,
    derive their solvers for. Where times of a table lie further apart than that, at the
    clean end, each is met once.

    Args:
      n_steps: network evaluations K ≤ T.
      alpha_bar: [T] table ᾱ.
    """
    falling = np.log(alpha_bar / (1.0 - alpha_bar))
    wanted = np.linspace(falling[-1], falling[0], n_steps)[::-1]
    rising = np.interp(-wanted, -falling, np.arange(len(falling)))
    return _distinct(rising, len(falling))


def _distinct(rising: np.ndarray, n_train: int) -> np.ndarray:
    """Return rising times as whole ones below T, none twice, from noisy to clean."""
    order = np.arange(len(rising))
    distinct = np.maximum.accumulate(np.round(rising) - order)
    distinct = np.minimum(distinct, n_train - len(rising)) + order
    return distinct[::-1].astype(np.int32)


def travel_order(n_steps: int, length: int, repeat: int) -> tuple[np.ndarray, ...]:
    """Return which of n_steps levels each step starts from, and where it leads.

    RePaint's schedule as the DDNM code has it: on its first `repeat` - 1 arrivals at
    level 0, l, 2l, … below n_steps - l a step leads l levels up instead. Levels count
    the steps that remain; -1 is the end. `repeat` = 1: straight down.

    Args:
      n_steps: levels K.
      length: levels l of a journey.
      repeat: times that each stretch is walked.

    Raises:
      ValueError: if length or repeat is not positive, or no journey fits.
    """
    if length < 1 or repeat < 1:
        raise ValueError(f"travel_length or travel_repeat below 1: {length}, {repeat}.")
    if repeat > 1 and length >= n_steps:
        raise ValueError(
            f"travel_length must be below n_steps={n_steps} to lead anywhere: {length}."
        )
    left = dict.fromkeys(range(0, n_steps - length, length), repeat - 1)
    order, level = [], n_steps - 1
    while level >= 0:
        start, level = level, level - 1
        if left.get(level, 0) > 0:
            left[level] -= 1
            level += length
        order.append((start, level))
    starts, ends = np.transpose(order)
    return starts, ends


def look_back(alpha_bar: np.ndarray) -> np.ndarray:
    """Return [k] the weights w of second-order updates, x0 + w (x0 - x0_before).

    DPM-Solver++(2M) (Lu et al., 2022, https://arxiv.org/abs/2211.01095, algorithm 2):
    w = h / (2 h_before), steps h of the half log-SNR ½ log ᾱ/(1-ᾱ). The first step has
    nothing to look back at, and the last, which leads to infinite SNR, is of first
    order, as in the published code.

    Args:
      alpha_bar: [k] ᾱ at the start of each step, from noisy to clean.
    """
    steps = np.diff(np.log(alpha_bar / (1.0 - alpha_bar)))
    weights = np.zeros(len(alpha_bar))
    weights[1:-1] = steps[1:] / (2 * steps[:-1])
    return weights


def time_grid(
    alpha_bar: np.ndarray,
    indices: np.ndarray,
    travel: tuple[int, int] = (1, 1),
    order: int = 1,
) -> TimeGrid:
    """Return the rows of the sampling loop; the last step ends at ᾱ = 1.

    Args:
      alpha_bar: [T] table ᾱ.
      indices: [K] training times, from noisy to clean.
      travel: length and repeat of `travel_order`.
      order: of the update, 1 or 2; see `look_back`.

    Raises:
      ValueError: for another order, 2 with time travel, or times that do not fall.
    """
    if order not in (1, 2) or (order == 2 and travel[1] > 1):
        raise ValueError(
            f"order must be 1, or without time travel 2; got {order} with repeat "
            f"{travel[1]}."
        )
    indices = np.asarray(indices, np.int32)
    if (np.diff(indices) >= 0).any():
        raise ValueError(f"indices must fall, from noisy to clean, got {indices}.")
    starts, ends = travel_order(len(indices), *travel)
    rising = indices[::-1]
    # One more entry: level -1, Python's last, is the clean end.
    levels = np.append(np.asarray(alpha_bar, np.float64)[rising], 1.0)
    weights = look_back(levels[starts]) if order == 2 else np.zeros(len(starts))
    return TimeGrid(
        t=jnp.asarray(rising[starts]),
        alpha_bar=jnp.asarray(levels[starts], jnp.float32),
        alpha_bar_next=jnp.asarray(levels[ends], jnp.float32),
        look_back=jnp.asarray(weights, jnp.float32),
    )
