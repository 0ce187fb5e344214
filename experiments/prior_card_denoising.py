"""One-step denoising of a prior against classical denoisers, for its card.

Both see the same x + σ n and both know σ. The classical ones are tuned, per noise
level, on training slices. Images are stacks [n, h, w] or [n, h, w, 2] in operator
units; PSNR is by magnitude. Nothing here prints or writes.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize

from mgdm_jax import factory, metrics, priors

STRENGTHS = (0.05, 5.0)
"""Range of the classical denoisers' strength, in standard deviations of the noise."""

Denoiser = Callable[[np.ndarray, float, float], np.ndarray]
"""(one noisy image, sigma, strength) -> estimate."""


def level_of(
    alpha_bar: np.ndarray, sigma: float, noise_scale: float
) -> tuple[int, float]:
    """Return the time whose x_t / √ᾱ_t = x + σ n, and its σ; the nearest in log σ.

    Args:
      alpha_bar: table ᾱ [T].
      sigma: wanted standard deviation of the noise, operator units.
      noise_scale: standard deviation of ε in operator units.

    Raises:
      ValueError: if `sigma` is not positive.
    """
    if sigma <= 0:
        raise ValueError(f"sigma must be positive, got {sigma}.")
    sigmas = np.sqrt((1 - alpha_bar) / alpha_bar) * noise_scale
    t = int(np.abs(np.log(sigmas / sigma)).argmin())
    return t, float(sigmas[t])


def denoise_once(prior: factory.Prior, noisy: np.ndarray, t: int) -> np.ndarray:
    """Return x0_hat(√ᾱ_t · noisy): one network evaluation an image."""
    level = jnp.float32(prior.alpha_bar[t])
    x_t = jnp.sqrt(level) * jnp.asarray(noisy, jnp.float32)
    denoise = jax.jit(jax.vmap(prior.denoise, in_axes=(None, 0, None, None)))
    return np.asarray(denoise(prior.params, x_t, jnp.int32(t), level).x0_hat)


def total_variation(noisy: np.ndarray, sigma: float, strength: float) -> np.ndarray:
    """Return Chambolle's TV denoising of weight strength · σ, channel by channel."""
    from skimage import restoration

    axis = None if noisy.ndim == 2 else -1
    return restoration.denoise_tv_chambolle(
        noisy, weight=strength * sigma, channel_axis=axis
    )


def nl_means(noisy: np.ndarray, sigma: float, strength: float) -> np.ndarray:
    """Return non-local means of h = strength · σ: patches 5×5, searched in 13×13."""
    from skimage import restoration

    axis = None if noisy.ndim == 2 else -1
    return restoration.denoise_nl_means(
        noisy,
        patch_size=5,
        patch_distance=6,
        h=strength * sigma,
        sigma=sigma,
        channel_axis=axis,
    )


CLASSICAL: dict[str, Denoiser] = {
    "total variation": total_variation,
    "non-local means": nl_means,
}


class Noisy(NamedTuple):
    """Clean slices, and the same under noise of one level; [n, …image] each.

    Attributes:
      clean: in [low, high].
      noisy: clean + σ n.
      sigma: σ in operator units.
      low: smallest clean value; estimates are clipped as the prior's are.
      high: largest clean value.
    """

    clean: np.ndarray
    noisy: np.ndarray
    sigma: float
    low: float
    high: float

    @classmethod
    def draw(
        cls, clean: np.ndarray, sigma: float, spec: priors.PriorSpec, seed: int
    ) -> "Noisy":
        """Return clean slices with white noise, σ per real component."""
        noise = np.random.default_rng(seed).standard_normal(clean.shape, np.float32)
        noisy = clean + np.float32(sigma) * noise
        return cls(clean, noisy, sigma, spec.low, spec.high)


def run_classical(denoiser: Denoiser, data: Noisy, strength: float) -> np.ndarray:
    """Return the clipped estimates of a classical denoiser, [n, …image] float32."""
    images = [denoiser(image, data.sigma, strength) for image in data.noisy]
    return np.clip(np.stack(images), data.low, data.high).astype(np.float32)


def psnr(clean: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """Return the PSNR [n] in dB, by magnitude, peak `metrics.CONVENTION`."""
    values = jax.vmap(metrics.psnr)(jnp.asarray(clean), jnp.asarray(estimate))
    return np.asarray(values)


def tune(denoiser: Denoiser, data: Noisy) -> float:
    """Return the strength of the largest mean PSNR on training slices.

    Bounded search over log strength in `STRENGTHS`, to 5 %.
    """

    def loss(log_strength: float) -> float:
        estimate = run_classical(denoiser, data, float(np.exp(log_strength)))
        return -float(psnr(data.clean, estimate).mean())

    found = optimize.minimize_scalar(
        loss, bounds=np.log(STRENGTHS), method="bounded", options={"xatol": 0.05}
    )
    return float(np.exp(found.x))  # pyright: ignore[reportAttributeAccessIssue]


class Rival(NamedTuple):
    """A classical denoiser at one noise level.

    Attributes:
      strength: chosen on the seen slices, in standard deviations of the noise.
      seen: PSNR [n] on the slices it was tuned on.
      unseen: PSNR [n] on the held-back slices.
      images: estimates of the held-back slices.
    """

    strength: float
    seen: np.ndarray
    unseen: np.ndarray
    images: np.ndarray


class Comparison(NamedTuple):
    """All denoisers at one noise level; PSNR in dB.

    Attributes:
      t: time of the prior.
      sigma: σ of that time, operator units.
      noisy: PSNR [n] of the held-back slices before denoising.
      rivals: by name.
      best: name of the strongest rival on the seen slices.
      seen: the prior's PSNR [n] on the seen slices.
      unseen: the prior's PSNR [n] on the held-back slices.
      images: the prior's estimates of the held-back slices.
    """

    t: int
    sigma: float
    noisy: np.ndarray
    rivals: dict[str, Rival]
    best: str
    seen: np.ndarray
    unseen: np.ndarray
    images: np.ndarray

    @property
    def lead(self) -> np.ndarray:
        """The prior's lead [n] over the best rival on held-back slices."""
        return self.unseen - self.rivals[self.best].unseen

    @property
    def lead_seen(self) -> np.ndarray:
        """The same on the slices that the rival was tuned on and the prior has seen."""
        return self.seen - self.rivals[self.best].seen


def compare(
    prior: factory.Prior,
    spec: priors.PriorSpec,
    seen: np.ndarray,
    unseen: np.ndarray,
    sigma: float,
) -> Comparison:
    """Return all denoisers at the time nearest to σ.

    Args:
      prior: the prior.
      spec: its facts.
      seen: training slices; the classical denoisers are tuned on them.
      unseen: held-back slices.
      sigma: standard deviation of the noise, operator units.
    """
    t, sigma = level_of(prior.alpha_bar, sigma, prior.noise_scale)
    known = Noisy.draw(seen, sigma, spec, seed=1)
    new = Noisy.draw(unseen, sigma, spec, seed=2)
    rivals = {}
    for name, denoiser in CLASSICAL.items():
        strength = tune(denoiser, known)
        fits = [run_classical(denoiser, data, strength) for data in (known, new)]
        scores = psnr(seen, fits[0]), psnr(unseen, fits[1])
        rivals[name] = Rival(strength, *scores, fits[1])
    images = denoise_once(prior, new.noisy, t)
    return Comparison(
        t=t,
        sigma=sigma,
        noisy=psnr(unseen, new.noisy),
        rivals=rivals,
        best=max(rivals, key=lambda name: float(rivals[name].seen.mean())),
        seen=psnr(seen, denoise_once(prior, known.noisy, t)),
        unseen=psnr(unseen, images),
        images=images,
    )
