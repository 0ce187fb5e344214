"""The one sampling loop: linearise the denoiser, let the method step, scan."""

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import evenly
from mgdm_jax.guidance import proximal
from mgdm_jax.operators import linalg
from mgdm_jax.types import (
    Array,
    DenoiseFn,
    Estimate,
    Guidance,
    Params,
    Problem,
    StepFn,
    StepInfo,
    TimeGrid,
)


def linearise(
    denoise: DenoiseFn,
    params: Params,
    x_t: Array,
    times: TimeGrid,
    noise_scale: float,
    x0_before: Array | None = None,
) -> Estimate:
    """Return the denoiser's value and pullback at x_t: one forward evaluation.

    Args:
      denoise: the prior.
      params: its weights.
      x_t: noisy image, operator units.
      times: one row of a time grid.
      noise_scale: standard deviation of ε in operator units.
      x0_before: x0_bar of the step before, None where there was none.
    """

    def denoise_at(x: Array) -> tuple[Array, Array]:
        return denoise(params, x, times.t, times.alpha_bar)

    x0_hat, pullback, eps = jax.vjp(denoise_at, x_t, has_aux=True)
    return Estimate(
        x_t=x_t,
        x0_hat=x0_hat,
        eps=eps,
        pullback=lambda cotangent: pullback(cotangent)[0],
        x0_hat_fn=lambda x: denoise_at(x)[0],
        alpha_bar=times.alpha_bar,
        alpha_bar_next=times.alpha_bar_next,
        noise_scale=jnp.asarray(noise_scale, x_t.dtype),
        x0_before=x_t if x0_before is None else x0_before,
        look_back=times.look_back,
    )


def sample(
    key: Array,
    denoise: DenoiseFn,
    params: Params,
    step: StepFn,
    grid: TimeGrid,
    problem: Problem,
    guidance: Guidance,
    *,
    noise_scale: float = 1.0,
    centre: float = 0.0,
    from_baseline: bool = False,
    n_kept: int = 0,
    rematerialise: bool = False,
) -> tuple[Array, StepInfo]:
    """Sample one image; jit and vmap it as you like.

    Args:
      key: typed random key.
      denoise: the prior (static).
      params: its weights.
      step: one reverse step of a method (static), such as `mgdm.make_step()`.
      grid: times, from noisy to clean.
      problem: operator, measurement, noise level.
      guidance: ζ, λ, ρ, η; float32 scalars.
      noise_scale: standard deviation of ε in operator units (static): 1 of analytic
        priors, `Prior.noise_scale` of a network's. Without it, and the centre, a
        network's images are wrong; `factory.make_sampler` gives both.
      centre: clean value that the network sees as 0, `Units.centre` (static): x_T has
        mean √ᾱ_T · centre, so that in network units it is N(0, I) for every prior.
      from_baseline: start from the zero-filled or FBP image, noised to the grid's first
        time (static): CCDF (Chung et al., "Come-Closer-Diffuse-Faster", 2021,
        https://arxiv.org/abs/2112.05146) on a grid that starts late.
      n_kept: steps whose x0_hat is returned as well (static), see `kept_steps`.
      rematerialise: compute every step again on the way back (static): gradients
        through the sampler, of ζ say, then hold what one step works in and x_t of all,
        not what all steps work in.

    Returns:
      The image, operator units, and the diagnostics of every step [k].
    """
    start_key, loop_key = jax.random.split(key)
    shape = problem.operator.image_shape
    x_start = noise_scale * jax.random.normal(start_key, shape, jnp.float32)
    if from_baseline:
        x_start = jnp.sqrt(1.0 - grid.alpha_bar[0]) * x_start
        centre = problem.operator.baseline(problem.measurement)
    x_start = x_start + jnp.sqrt(grid.alpha_bar[0]) * centre
    n_steps = grid.t.shape[0]
    keys = jax.random.split(loop_key, n_steps)
    rows = frame_rows(n_steps, n_kept)

    def body(carry, inputs: tuple[Array, TimeGrid, Array]):
        x_t, x0_before, frames = carry
        step_key, times, row = inputs
        estimate = linearise(denoise, params, x_t, times, noise_scale, x0_before)
        x_s, info = step(step_key, estimate, problem, guidance)
        frames = keep(frames, row, estimate.x0_hat)
        return (x_s, info.x0_bar, frames), info._replace(x0_bar=None)

    if rematerialise:
        body = jax.checkpoint(body, prevent_cse=False)  # a scan's body has no twin
    start = (x_start, x_start, no_frames(n_steps, n_kept, x_start))
    (image, _, frames), info = jax.lax.scan(body, start, (keys, grid, rows))
    return image, info._replace(x0_hat=frames)


def kept_steps(n_steps: int, n_kept: int) -> np.ndarray:
    """Return the steps whose x0_hat is kept: evenly spaced, with the first and last.

    Args:
      n_steps: of the grid, from 0.
      n_kept: how many, or all where there are fewer.
    """
    return evenly.spaced(n_steps, n_kept).astype(np.int32)


def frame_rows(n_steps: int, n_kept: int) -> Array:
    """Return [n_steps] the row that each step writes to.

    Every step writes to the row of the next step that is kept, which then writes over
    it: memory does not grow with the steps, and no step needs a condition.
    """
    rows = np.searchsorted(kept_steps(n_steps, n_kept), np.arange(n_steps))
    return jnp.asarray(rows, jnp.int32)


def no_frames(n_steps: int, n_kept: int, x_start: Array) -> Array | None:
    """Return room for what `keep` keeps, or None for nothing.

    It holds x_start: zeros would depend on no example, and `vmap` would trace the whole
    loop once more to find out that what is kept does.
    """
    room = (min(n_steps, n_kept), *x_start.shape)
    return jnp.broadcast_to(x_start, room) if n_kept else None


def keep(frames: Array | None, row: Array, x0_hat: Array) -> Array | None:
    """Return the frames with x0_hat written to its row."""
    return None if frames is None else frames.at[row].set(x0_hat)


def diagnose(
    problem: Problem, x0_tilde: Array, x0_bar: Array, lam: Array | None, x_s: Array
) -> StepInfo:
    """Return a step's diagnostics; `lam` is None for a step without a proximal."""
    misfit = problem.measurement - problem.operator.forward(x0_bar)
    scale = linalg.norm(problem.measurement)
    residual = linalg.norm(misfit) / jnp.where(scale > 0, scale, 1.0)
    if lam is None:
        prox_gap = jnp.zeros_like(residual)
    else:
        prox_gap = proximal.gap(problem, x0_tilde, x0_bar, lam)
    finite = jnp.all(jnp.isfinite(x_s))
    return StepInfo(residual, prox_gap, finite, x0_bar=x0_bar)
