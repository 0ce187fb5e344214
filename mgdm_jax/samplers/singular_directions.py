"""What DDRM and DDNM+ do in each singular direction of A, for A known by its spectrum.

With A = U S Vᴴ, ȳ = Uᴴy / s and a bar over every image for its coefficients Vᴴx, all
in the network's units, a direction of singular value s is corrected and given noise up
to σ_s = √(1-ᾱ_s):

    s = 0:             x̄_s = √ᾱ_s x̄0_hat + σ_s (η z + √(1-η²) ε̄)
    σ_s ≥ √ᾱ_s σ_y/s:  x̄_s = √ᾱ_s (x̄0_hat + η_b (ȳ - x̄0_hat))
                             + √(σ_s² - ᾱ_s η_b² σ_y²/s²) z
    else:              x̄_s = √ᾱ_s x̄0_hat + σ_s (√(1-η²) (ȳ - x̄0_hat) s/σ_y + η z)

(Kawar et al., "Denoising Diffusion Restoration Models", 2022,
https://arxiv.org/abs/2201.11793, eq. 7 and 8, in VP scaling). No singular vector is
needed: the correction is Aᴴ g(AAᴴ)(y - A x0_hat), the noise Aᴴ q(AAᴴ) A z.
"""

import jax
import jax.numpy as jnp

from mgdm_jax.operators import linalg, spectrum
from mgdm_jax.samplers import ddim
from mgdm_jax.types import Array, Estimate, Problem, SpectralGain


def require_spectrum(problem: Problem, method: str) -> None:
    """Refuse an operator that does not know its spectrum.

    Raises:
      ValueError: naming the method, the operators and the way out.
    """
    if not getattr(problem.operator, "has_spectrum", False):
        raise ValueError(
            f"{method} works in the spectrum of A, which is not known for coils with a "
            "mask in two dimensions, nor for CT of more than "
            f"{spectrum.MAX_DUAL_ROWS} measurements; use a method that solves by "
            "conjugate gradients there, such as mgdm, dds or pigdm."
        )


def corrected(problem: Problem, x0_hat: Array, correct: SpectralGain) -> Array:
    """Return x0_hat + Aᴴ g(AAᴴ) (y - A x0_hat)."""
    misfit = problem.measurement - problem.operator.forward(x0_hat)
    return x0_hat + problem.operator.spectral_filter(correct, misfit)


def noises(
    key: Array,
    estimate: Estimate,
    problem: Problem,
    eta: Array,
    spread: SpectralGain,
    cutoff: float,
) -> tuple[Array, Array]:
    """Return DDIM's noise, right in the null space, and its swap in the range of Aᴴ.

    Their sum is c1 z + c2 ε in the null space, and in a measured direction z with the
    standard deviation that `gains` leaves it.
    """
    operator = problem.operator
    c1, c2 = ddim.coefficients(estimate.alpha_bar, estimate.alpha_bar_next, eta, "ddnm")
    shape, dtype = estimate.x0_hat.shape, estimate.x0_hat.dtype
    z = estimate.noise_scale * jax.random.normal(key, shape, dtype)
    unseen = c1 * z + c2 * estimate.eps
    seen = spectrum.pseudo_inverse_gain(cutoff)
    swap = operator.spectral_filter(spread, operator.forward(z))
    return unseen, swap - operator.spectral_filter(seen, operator.forward(unseen))


def gains(
    estimate: Estimate, problem: Problem, eta: Array, eta_b: float, cutoff: float
) -> tuple[SpectralGain, SpectralGain]:
    """Return the gains of the correction and of the fresh noise.

    A direction whose noise σ_y/s is below that of x_s, √(1-ᾱ_s)/√ᾱ_s, takes the share
    η_b of y and what noise is left to make up x_s's; the others lean towards y by
    √(1-η²) of x_s's noise in units of theirs.
    """
    level = jnp.sqrt(1.0 - estimate.alpha_bar_next)
    noise = problem.noise_std / estimate.noise_scale  # network units, as `level`
    noise = jnp.sqrt(estimate.alpha_bar_next) * noise
    inverse = spectrum.pseudo_inverse_gain(cutoff)

    def correct(s2: Array) -> Array:
        reach = level * jnp.sqrt(s2)
        share = reach * linalg.root(1.0 - eta**2) / jnp.where(noise > 0, noise, 1.0)
        return jnp.where(reach >= noise, eta_b, share) * inverse(s2)

    def spread(s2: Array) -> Array:
        left = jnp.maximum(level**2 - (eta_b * noise) ** 2 * inverse(s2), 0.0)
        full = level * jnp.sqrt(s2) >= noise
        return jnp.where(full, jnp.sqrt(left), eta * level) * inverse(s2)

    return correct, spread
