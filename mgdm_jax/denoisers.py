"""From a network's output to x0_hat and ε in operator units: the one place of units.

Networks see x_net = scale · x + offset. Everything else lives in operator units, where
the same process reads x_t = √ᾱ_t x0 + √(1-ᾱ_t) ε with ε of standard deviation
1/scale (`noise_scale`): x_net_t = scale · x_t + √ᾱ_t · offset.
"""

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp
from jax import lax

from mgdm_jax.types import Array, Denoised, DenoiseFn, Params

ApplyFn = Callable[[Params, Array, Array], Array]
"""A network: (params, x, t) -> output, see `network_denoiser`."""


@dataclasses.dataclass(frozen=True)
class Units:
    """The clean-image range of a prior and its map to network units.

    Attributes:
      scale: x_net = scale · x + offset.
      offset: see `scale`; 0 for complex images, whose phase it would turn.
      low: smallest clean value, operator units.
      high: largest clean value, operator units.
    """

    scale: float = 2.0
    offset: float = -1.0
    low: float = 0.0
    high: float = 1.0

    @property
    def noise_scale(self) -> float:
        """Standard deviation of ε in operator units."""
        return 1.0 / self.scale

    @property
    def centre(self) -> float:
        """Clean value that the network sees as 0, operator units."""
        return -self.offset / self.scale


def tweedie(x_t: Array, eps: Array, alpha_bar: Array) -> Array:
    """Return x0_hat = (x_t - √(1-ᾱ) ε) / √ᾱ (eq. 11)."""
    return (x_t - jnp.sqrt(1.0 - alpha_bar) * eps) / jnp.sqrt(alpha_bar)


def predict_eps(output: Array, x_t: Array, alpha_bar: Array, prediction: str) -> Array:
    """Return ε from a network's output.

    ε = √ᾱ v + √(1-ᾱ) x_t for "v", (x_t - √ᾱ x0) / √(1-ᾱ) for "x0".

    Args:
      output: as large as x_t.
      x_t: noisy image in network units.
      alpha_bar: ᾱ_t, broadcastable to x_t.
      prediction: "eps", "v" (Salimans & Ho, 2022) or "x0", the clean image.

    Raises:
      ValueError: for another prediction.
    """
    match prediction:
        case "eps":
            return output
        case "v":
            return jnp.sqrt(alpha_bar) * output + jnp.sqrt(1.0 - alpha_bar) * x_t
        case "x0":
            return (x_t - jnp.sqrt(alpha_bar) * output) / jnp.sqrt(1.0 - alpha_bar)
        case _:
            raise ValueError(f"prediction must be eps, v or x0, got {prediction!r}.")


def clip(x: Array, low: float, high: float, gradient: str) -> Array:
    """Clip to [low, high]; "straight" lets gradients pass, "through" only inside.

    Raises:
      ValueError: for another gradient.
    """
    clipped = jnp.clip(x, low, high)
    match gradient:
        case "through":
            return clipped
        case "straight":
            return x + lax.stop_gradient(clipped - x)
        case _:
            raise ValueError(
                f"clip_gradient must be through or straight, got {gradient!r}."
            )


DTYPES = ("float32", "bfloat16")
"""Numbers that a network may compute in."""


def in_precision(apply: ApplyFn, dtype: str) -> ApplyFn:
    """Return a network that computes in `dtype`, between float32 images and output.

    Normalisation, softmax and all that guides stay in float32.

    Args:
      apply: see `network_denoiser`.
      dtype: "float32", or "bfloat16": half of the memory, and the tensor cores' speed.

    Raises:
      ValueError: for another dtype.
    """
    if dtype not in DTYPES:
        raise ValueError(f"prior.dtype must be {' or '.join(DTYPES)}, got {dtype!r}.")
    if dtype == "float32":
        return apply

    def rounded(params: Params, x: Array, t: Array) -> Array:
        return apply(params, x.astype(dtype), t).astype(jnp.float32)

    return rounded


def network_denoiser(
    apply: ApplyFn,
    units: Units,
    *,
    prediction: str = "eps",
    clip_denoised: bool = True,
    clip_gradient: str = "through",
) -> DenoiseFn:
    """Return the denoiser of a network, for one example.

    Args:
      apply: (params, x [b, h, w, c], t [b]) -> [b, h, w, c] or, with learned variance,
        [b, h, w, 2c], whose second half is dropped.
      units: the prior's units.
      prediction: "eps", "v" or "x0".
      clip_denoised: clip x0_hat to the clean range, as guided-diffusion and DPS do;
        without it an imperfect prior can diverge (1/√ᾱ is 150 at t = 990).
      clip_gradient: "through" or "straight", see `clip`.
    """

    def denoise(params: Params, x_t: Array, t: Array, alpha_bar: Array) -> Denoised:
        x_net = units.scale * x_t + jnp.sqrt(alpha_bar) * units.offset
        channels = x_net.reshape(*x_net.shape[:2], -1)
        output = apply(params, channels[None], t[None])[0]
        output = output[..., : channels.shape[-1]].reshape(x_net.shape)
        eps = predict_eps(output, x_net, alpha_bar, prediction)
        x0_hat = (tweedie(x_net, eps, alpha_bar) - units.offset) / units.scale
        if clip_denoised:
            x0_hat = clip(x0_hat, units.low, units.high, clip_gradient)
        return Denoised(x0_hat, eps / units.scale)

    return denoise
