"""From `config.method` and its options to one reverse step."""

import copy
import functools
from collections.abc import Callable
from typing import NamedTuple

from mgdm_jax import schedules
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


class Facts(NamedTuple):
    """What the rest of the package must know about a method.

    Attributes:
      uses: those of `zeta`, `lam`, `rho`, `eta` that change its images.
      gradients: backward products of a step; each costs about a forward.
      evaluations: of the network, a step.
      asks_spectrum: whether it ever asks an operator for its spectrum.
      own_update: whether its update is its own, no `ddim.update`: `sampler.noise` and
        `sampler.order` have no say.
      weighs: whether it can weigh each measurement by its own noise: it solves for
        none as if there were none, and needs no spectrum.
    """

    uses: tuple[str, ...]
    gradients: int = 0
    evaluations: int = 1
    asks_spectrum: bool = True
    own_update: bool = False
    weighs: bool = False


FACTS = {
    "mgdm": Facts(("zeta", "lam", "rho", "eta"), gradients=2, weighs=True),
    "mgdm_no_pr": Facts(("zeta", "eta"), gradients=1, asks_spectrum=False, weighs=True),
    "mgdm_no_ir": Facts(("lam", "eta"), weighs=True),
    "mgdm_no_i": Facts(("lam", "rho", "eta"), gradients=1, weighs=True),
    "mgdm_no_r": Facts(("zeta", "lam", "eta"), gradients=1, weighs=True),
    "ddim": Facts(("eta",), asks_spectrum=False),
    "ddnm": Facts(("eta",)),
    "ddnm_plus": Facts(("eta",), own_update=True),
    "dps": Facts(("zeta", "eta"), gradients=1, asks_spectrum=False, weighs=True),
    "ddrm": Facts(("eta",), own_update=True),
    "dds": Facts(("lam", "eta"), asks_spectrum=False, weighs=True),
    "diffpir": Facts(("lam", "eta"), weighs=True),
    "mcg": Facts(("zeta", "eta"), gradients=1),
    "pigdm": Facts(("zeta", "eta"), gradients=1, weighs=True),
    "red_diff": Facts(("zeta", "lam"), own_update=True),
    "score_med": Facts(("zeta", "lam"), evaluations=2, own_update=True),
    "score_mri": Facts(("zeta", "lam"), evaluations=2, own_update=True),
    "csgm_langevin": Facts(
        ("zeta",), evaluations=3, asks_spectrum=False, own_update=True, weighs=True
    ),
}
"""Values of `config.method`, and what is known of each."""

METHODS = tuple(FACTS)

ABLATIONS = {
    "mgdm": (True, True),
    "mgdm_no_r": (True, False),
    "mgdm_no_i": (False, True),
    "mgdm_no_ir": (False, False),
}
"""Method -> whether it has the inner and the discrepancy gradient."""

ProcessFn = Callable[..., tuple[Array, StepInfo]]
"""`loop.sample` without its step, or what takes the same arguments by name."""

CG_STEPS = 100
"""Most steps of `guidance.proximal=cg`, enough to converge; DDS has its own."""


def facts(config: Config) -> Facts:
    """Return what is known of `config.method`.

    Raises:
      ValueError: for an unknown method.
    """
    if config.method not in FACTS:
        raise ValueError(
            f"method must be one of {', '.join(METHODS)}, got {config.method!r}."
        )
    return FACTS[config.method]


def used(config: Config) -> tuple[str, ...]:
    """Return those of `zeta`, `lam`, `rho`, `eta` that the method uses for its task."""
    names, task = facts(config).uses, config.task
    if config.method == "diffpir" and not (task.noise_std or task.photons):
        return ("eta",)  # its λ multiplies σ_y²
    return names


def nfe(config: Config) -> int:
    """Return the network evaluations of one image, those with a gradient included."""
    starts, _ = schedules.travel_order(config.sampler.n_steps, *travel(config))
    return facts(config).evaluations * len(starts)


def backward(config: Config) -> int:
    """Return the backward products of one image; not those of `through_inner`."""
    return facts(config).gradients * nfe(config)


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


def weighs(config: Config) -> bool:
    """Return whether unequal noise is met by weights, see `operators.weighted`."""
    known, by_cg = facts(config), config.guidance.proximal in ("auto", "cg")
    return known.weighs and (by_cg or not known.asks_spectrum)


def wants_spectrum(config: Config) -> bool:
    """Return whether the method leaves its proximal step to the operator's spectrum."""
    by_spectrum = config.guidance.proximal in ("auto", "spectral")
    return facts(config).asks_spectrum and by_spectrum


def make_process(config: Config) -> ProcessFn:
    """Return the whole process of `config.method`, for one image.

    Raises:
      ValueError: for an unknown method, or one that cannot work as configured.
    """
    own_update = facts(config).own_update
    if config.sampler.noise and own_update:
        raise ValueError(
            f"{config.method} has a noise of its own; leave sampler.noise unset, got "
            f"{config.sampler.noise!r}."
        )
    if config.sampler.order > 1 and own_update:
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
            return langevin.make_step(n_inner=facts(config).evaluations)
        case name:
            facts(config)  # refuses a name that is none
            raise NotImplementedError(f"make_step has no case for {name!r}.")


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
