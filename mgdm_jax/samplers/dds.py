"""DDS: a few conjugate gradient steps in the place of the proximal point.

    x0_bar: CG steps from x0_hat towards (I + γ AᴴA) x = x0_hat + γ Aᴴy, γ = 1/λ,
            at λ = 0 (no measurement noise) towards AᴴA x = Aᴴy
    x_s = √ᾱ_s x0_bar + √(1-ᾱ_s) (√(1-η²) ε + η z)

Chung et al., "Fast Diffusion Sampler for Inverse Problems by Geometric Decomposition",
2023, https://arxiv.org/abs/2303.05754, Algorithms 1 and 2: MGDM's outer level alone, at
a constant λ, and no gradients. Run to convergence it is `mgdm_no_ir` whose λ does not
follow σ_y, and at λ = 0 DDNM.
"""

from mgdm_jax.guidance import proximal
from mgdm_jax.samplers import mgdm
from mgdm_jax.types import StepFn

CG_STEPS = 5
"""Those of the published code, which stops early on purpose."""


def make_step(
    *, n_iter: int = CG_STEPS, tol: float = 1e-5, noise: str = "ddnm"
) -> StepFn:
    """Return DDS's step.

    Args:
      n_iter: most steps of CG.
      tol: relative residual to stop at before.
      noise: see `ddim.coefficients`.
    """
    options = mgdm.Options(
        use_inner=False,
        use_discrepancy=False,
        proximal_fn=proximal.conjugate_gradient(n_iter, tol),
        lam_follows_noise=False,
        noise=noise,
    )
    return mgdm.make_step(options)
