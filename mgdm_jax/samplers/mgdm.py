"""MGDM, Algorithm 2 of the paper, and the ablations of its table 3.

line 8:   x0_tilde = x0_hat - ζ ∇_{x_t} ‖y - A x0_hat‖²
line 9:   x0_bar = argmin_x ½‖A x - y‖² + λ/2 ‖x - x0_tilde‖²
line 10:  x_s = √ᾱ_s x0_bar + c2 ε + c1 z,  c1 and c2 of `ddim.coefficients`
line 11:  x_s ← x_s - ρ ∇_{x_t} ‖x0_bar - x0_tilde‖²

Without line 8 (x0_tilde = x0_hat) it is `mgdm_no_i`, without line 11 `mgdm_no_r`,
without both `mgdm_no_ir`, DDNM's step with a proximal point; without lines 9 (x0_bar =
x0_tilde) and 11 `mgdm_no_pr`. "Meta-Guided Diffusion Models for Zero-Shot Medical
Imaging Inverse Problems". Ours, not the paper's: where there is noise λ of line 9 grows
by σ_y²/r_t², `proximal.noise_weight`.
"""

import dataclasses

from mgdm_jax.guidance import discrepancy, inner, proximal
from mgdm_jax.samplers import ddim, loop
from mgdm_jax.types import Array, Estimate, Guidance, Problem, StepFn, StepInfo


@dataclasses.dataclass(frozen=True)
class Options:
    """Static choices; without noise the defaults are our reading of the paper.

    Attributes:
      use_inner: line 8 (the inner gradient).
      use_outer: line 9 (the proximal step).
      use_discrepancy: line 11 (the discrepancy gradient).
      proximal_fn: how line 9 is solved.
      lam_follows_noise: add `proximal.noise_weight` to λ; nothing where σ_y = 0.
      zeta_scaling: "algorithm2" or "eq13", see `inner.step_size`.
      residual: "squared" or "norm" in line 8.
      discrepancy_norm: "squared" or "norm" in line 11.
      through_inner: differentiate line 11 through line 8 as well (second order).
      noise: "ddnm" or "ddim", see `ddim.coefficients`.
    """

    use_inner: bool = True
    use_outer: bool = True
    use_discrepancy: bool = True
    proximal_fn: proximal.ProximalFn = proximal.exact
    lam_follows_noise: bool = True
    zeta_scaling: str = "algorithm2"
    residual: str = "squared"
    discrepancy_norm: str = "squared"
    through_inner: bool = False
    noise: str = "ddnm"


def make_step(options: Options = Options()) -> StepFn:
    """Return one reverse step: lines 4 to 11.

    Raises:
      ValueError: for a discrepancy gradient without the proximal step it starts from.
    """
    if options.use_discrepancy and not options.use_outer:
        raise ValueError("use_discrepancy needs use_outer, or x0_bar = x0_tilde.")

    def step(
        key: Array, estimate: Estimate, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        zeta, lam, rho, eta = guidance
        if options.lam_follows_noise:
            lam = lam + proximal.noise_weight(problem, estimate)
        x0_tilde = estimate.x0_hat
        if options.use_inner:
            x0_tilde = inner.refine(
                estimate,
                problem,
                zeta,
                residual=options.residual,
                scaling=options.zeta_scaling,
            )
        x0_bar = x0_tilde
        if options.use_outer:
            x0_bar = options.proximal_fn(problem, x0_tilde, lam)
        x_s = ddim.update(key, estimate, x0_bar, estimate.eps, eta, options.noise)
        if options.use_discrepancy:
            x_s = x_s - rho * _discrepancy(
                options, estimate, problem, zeta, lam, x0_tilde, x0_bar
            )
        weight = lam if options.use_outer else None
        return x_s, loop.diagnose(problem, x0_tilde, x0_bar, weight, x_s)

    return step


def _discrepancy(
    options: Options,
    estimate: Estimate,
    problem: Problem,
    zeta: Array,
    lam: Array,
    x0_tilde: Array,
    x0_bar: Array,
) -> Array:
    if options.through_inner and options.use_inner:
        return discrepancy.gradient_through_inner(
            estimate,
            problem,
            zeta,
            lam,
            proximal_fn=options.proximal_fn,
            residual=options.residual,
            scaling=options.zeta_scaling,
            norm=options.discrepancy_norm,
        )
    return discrepancy.gradient(
        estimate,
        problem,
        x0_tilde,
        x0_bar,
        lam,
        proximal_fn=options.proximal_fn,
        norm=options.discrepancy_norm,
    )
