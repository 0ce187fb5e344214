"""From `config.method` and its options to one reverse step."""

import copy
import functools
from collections.abc import Callable

from mgdm_jax import schedules, tuned
from mgdm_jax.defaults import Config
from mgdm_jax.guidance import proximal
from mgdm_jax.samplers import (
    ddim,
    ddnm,
    ddnm_plus,
    ddrm,
    dds,
    diffpir,
    dps,
    langevin,
    loop,
    mcg,
    mgdm,
    pigdm,
    predictor_corrector,
    red_diff,
    time_travel,
)
from mgdm_jax.types import Array, Guidance, StepFn, StepInfo

METHODS = tuple(tuned.STARTING)
"""Values of `config.method`."""

EVALUATIONS = {"score_med": 2, "score_mri": 2, "csgm_langevin": 3}
"""Network evaluations of a step, where not one."""

GRADIENTS = {
    "mgdm": 2,
    "mgdm_no_pr": 1,
    "mgdm_no_i": 1,
    "mgdm_no_r": 1,
    "dps": 1,
    "mcg": 1,
    "pigdm": 1,
}
"""Backward products of a step, where there are any; each costs about a forward."""

ABLATIONS = {
    "mgdm": (True, True),
    "mgdm_no_r": (True, False),
    "mgdm_no_i": (False, True),
    "mgdm_no_ir": (False, False),
}
"""Method -> whether it has the inner and the discrepancy gradient."""

USED = {
    "mgdm": ("zeta", "lam", "rho", "eta"),
    "mgdm_no_pr": ("zeta", "eta"),
    "mgdm_no_ir": ("lam", "eta"),
    "mgdm_no_i": ("lam", "rho", "eta"),
    "mgdm_no_r": ("zeta", "lam", "eta"),
    "dps": ("zeta", "eta"),
    "dds": ("lam", "eta"),
    "diffpir": ("lam", "eta"),
    "mcg": ("zeta", "eta"),
    "pigdm": ("zeta", "eta"),
    "red_diff": ("zeta", "lam"),
    "score_med": ("zeta", "lam"),
    "score_mri": ("zeta", "lam"),
    "csgm_langevin": ("zeta",),
}
"""Method -> the numbers that change its images; `eta` alone where it is not here."""

SPECTRUM_FREE = ("ddim", "dds", "dps", "mgdm_no_pr", "csgm_langevin")
"""Methods that never ask an operator for its spectrum."""

OWN_UPDATE = (
    "ddnm_plus",
    "ddrm",
    "red_diff",
    "score_med",
    "score_mri",
    "csgm_langevin",
)
"""Methods whose update is their own, no `ddim.update`: `sampler.noise` and `order` have
no say."""

ProcessFn = Callable[..., tuple[Array, StepInfo]]
"""`loop.sample` without its step, or what takes the same arguments by name."""

CG_STEPS = 100
"""Most steps of `guidance.proximal=cg`, enough to converge; DDS has its own."""


def used(config: Config) -> tuple[str, ...]:
    """Return those of `zeta`, `lam`, `rho`, `eta` that the method uses for its task."""
    names, task = USED.get(config.method, ("eta",)), config.task
    if config.method == "diffpir" and not (task.noise_std or task.photons):
        return ("eta",)  # its λ multiplies σ_y²
    return names


def nfe(config: Config) -> int:
    """Return the network evaluations of one image, those with a gradient included."""
    starts, _ = schedules.travel_order(config.sampler.n_steps, *travel(config))
    return EVALUATIONS.get(config.method, 1) * len(starts)


def backward(config: Config) -> int:
    """Return the backward products of one image; not those of `through_inner`."""
    return GRADIENTS.get(config.method, 0) * nfe(config)


def spared(config: Config, guidance: Guidance) -> Config:
    """Return the configuration without those of MGDM's gradients that weigh nothing.

    Each costs a backward product a step.

    Args:
      config: see `defaults.reconstruction`.
      guidance: what the sampler will be called with, or the largest of that.
    """
    if config.method not in ABLATIONS:
        return config
    inner, discrepancy = ABLATIONS[config.method]
    left = (inner and bool(guidance.zeta), discrepancy and bool(guidance.rho))
    config = copy.deepcopy(config)
    config.method = next(name for name, has in ABLATIONS.items() if has == left)
    return config


def travel(config: Config) -> tuple[int, int]:
    """Return length and repeat of `schedules.travel_order`."""
    return config.sampler.travel_length, config.sampler.travel_repeat


def wants_spectrum(config: Config) -> bool:
    """Return whether the method leaves its proximal step to the operator's spectrum."""
    if config.method in SPECTRUM_FREE:
        return False
    return config.guidance.proximal in ("auto", "spectral")


def make_process(config: Config) -> ProcessFn:
    """Return the whole process of `config.method`, for one image.

    Raises:
      ValueError: for an unknown method, or one that cannot work as configured.
    """
    if config.sampler.noise and config.method in OWN_UPDATE:
        raise ValueError(
            f"{config.method} has a noise of its own; leave sampler.noise unset, got "
            f"{config.sampler.noise!r}."
        )
    if config.sampler.order > 1 and config.method in OWN_UPDATE:
        raise ValueError(
            f"{config.method} has an update of its own; leave sampler.order 1, got "
            f"{config.sampler.order}."
        )
    travels = config.sampler.travel_repeat > 1
    if config.method == "red_diff":
        if travels:
            raise ValueError("red_diff is no reverse process; leave travel_repeat 1.")
        if config.sampler.start < 1:
            raise ValueError("red_diff starts from A†y at any time; leave start 1.")
        return functools.partial(red_diff.sample, projection=_proximal(config))
    step, late = make_step(config), config.sampler.start < 1
    step = time_travel.make_step(step) if travels else step
    return functools.partial(loop.sample, step=step, from_baseline=late)


def make_step(config: Config) -> StepFn:
    """Return one reverse step of `config.method`; RED-diff has none.

    Raises:
      ValueError: for an unknown method, or one that cannot work as configured.
    """
    match config.method:
        case name if name in ABLATIONS:
            inner, discrepancy = ABLATIONS[name]
            options = _options(config, inner=inner, discrepancy=discrepancy)
            return mgdm.make_step(options)
        case "mgdm_no_pr":
            return mgdm.make_step(_options(config, outer=False, discrepancy=False))
        case "dds" if config.guidance.proximal not in ("auto", "cg"):
            raise ValueError("dds iterates: guidance.proximal must be auto or cg.")
        case "dds":
            steps = config.guidance.cg_steps or dds.CG_STEPS
            return dds.make_step(n_iter=steps, noise=config.sampler.noise or "ddnm")
        case _:
            return _other_step(config)


def _other_step(config: Config) -> StepFn:
    noise = config.sampler.noise
    residual = config.guidance.residual or "norm"
    match config.method:
        case "ddim":
            return ddim.make_step(noise or "ddim")
        case "ddnm":
            return ddnm.make_step(projection=_proximal(config), noise=noise or "ddnm")
        case "ddnm_plus":
            _refuse_without_spectrum(config)
            return ddnm_plus.make_step()
        case "ddrm":
            _refuse_without_spectrum(config)
            return ddrm.make_step()
        case "diffpir":
            solve = _proximal(config)
            return diffpir.make_step(proximal_fn=solve, noise=noise or "ddnm")
        case "dps":
            return dps.make_step(residual=residual, noise=noise or "ddim")
        case "mcg":
            solve = _proximal(config)
            return mcg.make_step(
                projection=solve, residual=residual, noise=noise or "ddim"
            )
        case "pigdm":
            return pigdm.make_step(projection=_proximal(config), noise=noise or "ddim")
        case "score_med" | "score_mri" as name:
            return predictor_corrector.make_step(
                diffuse=name == "score_med", projection=_proximal(config)
            )
        case "csgm_langevin":
            return langevin.make_step(n_inner=EVALUATIONS["csgm_langevin"])
        case _:
            raise ValueError(
                f"method must be one of {', '.join(METHODS)}, got {config.method!r}."
            )


def _options(
    config: Config, *, discrepancy: bool, inner: bool = True, outer: bool = True
) -> mgdm.Options:
    guidance = config.guidance
    return mgdm.Options(
        use_inner=inner,
        use_outer=outer,
        use_discrepancy=discrepancy,
        proximal_fn=_proximal(config),
        lam_follows_noise=guidance.lam_follows_noise,
        zeta_scaling=guidance.zeta_scaling,
        residual=guidance.residual or "squared",
        discrepancy_norm=guidance.discrepancy_norm,
        through_inner=guidance.through_inner,
        noise=config.sampler.noise or "ddnm",
    )


def _refuse_without_spectrum(config: Config) -> None:
    if config.guidance.proximal not in ("auto", "spectral"):
        raise ValueError(
            f"{config.method} works in the operator's spectrum; leave "
            f"guidance.proximal at auto, got {config.guidance.proximal!r}."
        )


def _proximal(config: Config) -> proximal.ProximalFn:
    kind, n_iter = config.guidance.proximal, config.guidance.cg_steps
    if n_iter is not None and kind != "cg":
        raise ValueError(
            f"guidance.cg_steps is for proximal=cg (or dds), got proximal={kind}."
        )
    match kind:
        case "auto":
            return proximal.exact
        case "spectral":
            return proximal.spectral
        case "cg":
            return proximal.conjugate_gradient(n_iter or CG_STEPS)
        case "fbp_residual" if config.task.kind == "ct":
            return proximal.fbp_residual
        case "fbp_merge" if config.task.kind == "ct":
            return proximal.fbp_merge
        case other:
            raise ValueError(
                "guidance.proximal must be auto, spectral, cg or, for CT, fbp_residual "
                f"(or fbp_merge on simulated views), got {other!r}."
            )
