"""RED-diff: the image as the mean of a variational posterior, found by Adam.

    μ ← μ - ζ Adam(g),  g = Aᴴ(A μ - y) + λ √((1-ᾱ)/ᾱ) (ε(√ᾱ μ + √(1-ᾱ) z) - z)

Mardani et al., "A Variational Perspective on Solving Inverse Problems with Diffusion
Models", 2023, https://arxiv.org/abs/2305.04391, Algorithm 1. Not a reverse process: the
image itself is optimised, the prior seen at one noise level after another. A point
estimate, no sample: on a prior N(m, C) one level leads it to where g is 0 on average,
(AᴴA + λ W) μ = Aᴴy + λ W m with W = (1-ᾱ)(ᾱ C + (1-ᾱ) I)⁻¹.
"""

import jax
import jax.numpy as jnp
import optax

from mgdm_jax.guidance import proximal
from mgdm_jax.samplers import loop
from mgdm_jax.types import (
    Array,
    DenoiseFn,
    Guidance,
    Params,
    Problem,
    StepInfo,
    TimeGrid,
)


def sample(
    key: Array,
    denoise: DenoiseFn,
    params: Params,
    grid: TimeGrid,
    problem: Problem,
    guidance: Guidance,
    *,
    noise_scale: float = 1.0,
    centre: float = 0.0,
    projection: proximal.ProximalFn = proximal.exact,
    n_kept: int = 0,
) -> tuple[Array, StepInfo]:
    """Optimise one image from A†y; jit and vmap it as you like.

    ζ is Adam's rate in operator units (the published 0.1 times `noise_scale`), λ its
    0.25; ρ and η have no part. The published code divides the two terms of g by the
    number of measurements and of pixels.

    Arguments are those of `loop.sample` without its step; `centre` is unused, nothing
    starts from noise; `projection` gives A†y at λ = 0, as in `ddnm.make_step`. Each
    time of the grid is one network evaluation.

    Returns:
      The image, operator units, and the diagnostics of every step [k].
    """
    del centre
    operator = problem.operator
    optimiser = optax.scale_by_adam(b1=0.9, b2=0.99)
    n_steps, start = grid.t.shape[0], jnp.zeros(operator.image_shape, jnp.float32)
    start = projection(problem, start, jnp.zeros_like(guidance.lam))

    def body(carry, inputs: tuple[Array, TimeGrid, Array]):
        mu, moments, frames = carry
        step_key, times, row = inputs
        alpha_bar = times.alpha_bar
        z = noise_scale * jax.random.normal(step_key, mu.shape, mu.dtype)
        x_t = jnp.sqrt(alpha_bar) * mu + jnp.sqrt(1.0 - alpha_bar) * z
        x0_hat, eps = denoise(params, x_t, times.t, alpha_bar)
        weight = guidance.lam * jnp.sqrt((1.0 - alpha_bar) / alpha_bar)
        misfit = operator.forward(mu) - problem.measurement
        gradient = operator.adjoint(misfit) + weight * (eps - z)
        with jax.numpy_dtype_promotion("standard"):  # optax mixes int and float
            direction, moments = optimiser.update(gradient, moments)
        mu = mu - guidance.zeta * direction  # type: ignore[operator]
        info = loop.diagnose(problem, mu, mu, None, mu)._replace(x0_bar=None)
        return (mu, moments, loop.keep(frames, row, x0_hat)), info

    keys, rows = jax.random.split(key, n_steps), loop.frame_rows(n_steps, n_kept)
    carry = (start, optimiser.init(start), loop.no_frames(n_steps, n_kept, start))
    (image, _, frames), info = jax.lax.scan(body, carry, (keys, grid, rows))
    return image, info._replace(x0_hat=frames)
