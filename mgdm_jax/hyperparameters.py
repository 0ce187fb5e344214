"""ζ, λ, ρ, η of a run: as given, else as chosen on validation."""

import copy
from pathlib import Path
from typing import Any

import numpy as np

from mgdm_jax import methods, tuned
from mgdm_jax.defaults import Config
from mgdm_jax.types import Guidance

NOISY = "_noisy"
ANY = "any"
"""Level of numbers that nobody chose for one: the last resort."""
STARTING = "starting values, chosen for nothing"
"""What a user is told of these."""


def resolve(config: Config) -> Guidance:
    """Return `numbers` as the samplers take them.

    Raises:
      ValueError: as `numbers` does.
    """
    return Guidance.of(**numbers(config))


def with_level(config: Config, level: float | None) -> Config:
    """Return a copy at an acceleration or number of views, its own for None."""
    config = copy.deepcopy(config)
    if level is None:
        return config
    if config.task.kind == "ct":
        config.task.n_views = int(level)
    else:
        config.task.acceleration = float(level)
    return config


def note(config: Config, guidance: Guidance) -> None:
    """Write into a configuration ζ, λ, ρ, η as they are used."""
    for name in ("zeta", "lam", "rho"):
        config.guidance[name] = float(getattr(guidance, name))
    config.sampler.eta = float(guidance.eta)


def numbers(config: Config) -> dict[str, float]:
    """Return ζ, λ, ρ, η: as configured, else the values chosen on validation.

    `config.tuned.<method>.<level>` holds them for an acceleration or a number of views,
    `<level>_noisy` for σ_y > 0; the nearest level is taken, a noisy one where there is
    any and σ_y is nearer to `tuned.NOISE_STD` than to 0. `origin` tells which.

    Raises:
      ValueError: if a number is neither given nor tuned, or out of range.
    """
    given = {name: config.guidance[name] for name in ("zeta", "lam", "rho")}
    given["eta"] = config.sampler.eta
    chosen = _tuned(config)
    values: dict[str, Any] = {
        name: chosen.get(name) if value is None else value
        for name, value in given.items()
    }
    for name, value in values.items():
        if value is None:
            raise ValueError(
                f"{name} of {config.method} has no tuned value here; give "
                f"--config.{'sampler' if name == 'eta' else 'guidance'}.{name}."
            )
        if not 0 <= value <= (1 if name == "eta" else np.inf):
            raise ValueError(f"{name} must not be negative, eta at most 1: {value}.")
    return values


def told(config: Config) -> str:
    """Return those of ζ, λ, ρ, η that the method uses, and where they come from.

    Raises:
      ValueError: as `numbers` does.
    """
    chosen, used = _tuned(config), methods.used(config)
    values = {name: value for name, value in numbers(config).items() if name in used}
    listed = ", ".join(f"{name} {value:.3g}" for name, value in values.items())
    # Those of a finished run have passed through float32.
    given = [k for k, v in values.items() if not np.isclose(v, chosen.get(k, np.nan))]
    match origin(config):
        case _ if len(given) == len(values):
            return f"{listed} (as given)"
        case "starting values" if given:
            return f"{listed} ({', '.join(given)} as given, others too, or {STARTING})"
        case "starting values":
            whence = f"{STARTING}: search before you compare"
        case task:
            apart = ", ".join([*filter(None, [task]), *_setting(config)])
            whence = "chosen on the sample's validation subject"
            whence += f", for {apart}" if apart else ""
    others = f"{', '.join(given)} as given, others " if given else ""
    return f"{listed} ({others}{whence})"


def is_noisy(task: Config) -> bool:
    """Return whether the measurements carry noise of either kind."""
    return task.noise_std > 0 or task.photons > 0


def origin(config: Config) -> str:
    """Return what the method's tuned numbers were chosen for, "" for this very task.

    Else in what it was another, the level or the mask or the noise, or "starting
    values", chosen for nothing.
    """
    name, task = _nearest(config), config.task
    if name in (None, ANY):
        return "starting values"
    noisy, level = name.endswith(NOISY), name.removesuffix(NOISY)
    found = [] if float(level) == _level(config) else [f"level {level}"]
    mask = tuned.MASKS.get(task.kind, task.mask)
    found += [] if task.mask == mask else [f"mask {mask}"]
    if is_noisy(task) and not noisy:
        found += ["no noise"]
    chosen_for = tuned.NOISE_STD.get(task.kind, task.noise_std)
    if noisy and task.noise_std != chosen_for:
        found += [f"noise_std {chosen_for:g}"]
    return ", ".join(found)


def _setting(config: Config) -> list[str]:
    """Return with what else than the configuration's the numbers were chosen.

    Apart from `origin`, as the task is the same.
    """
    path, prior = config.prior.path, tuned.PRIORS.get(config.task.kind)
    same = (
        prior is None or path == prior or Path(path or "").stem == f"{prior}_held_back"
    )
    steps = tuned.STEPS.get(config.method, tuned.USUAL_STEPS)
    found = [] if same else [f"prior {prior}"]
    return found + ([] if config.sampler.n_steps == steps else [f"{steps} steps"])


def _tuned(config: Config) -> dict[str, float]:
    name = _nearest(config)
    if name is None:
        return {}
    numbers = config.tuned[config.method][name]
    return dict(zip(("zeta", "lam", "rho", "eta"), numbers, strict=True))


def _nearest(config: Config) -> str | None:
    """Return the tuned level to take; `ANY` only where there is no other."""
    levels = config.tuned.get(config.method) or {}
    chosen = [name for name in levels if name != ANY]
    noisy = [name for name in chosen if name.endswith(NOISY)]
    quiet = [name for name in chosen if name not in noisy]
    names = noisy if noisy and (_nearer_to_noise(config.task) or not quiet) else quiet
    if not names:
        return ANY if ANY in levels else None
    level = _level(config)
    return min(names, key=lambda n: abs(np.log(float(n.removesuffix(NOISY)) / level)))


def _nearer_to_noise(task: Config) -> bool:
    """Return whether σ_y is nearer to the noisy levels' than to 0; photons count so."""
    half = tuned.NOISE_STD.get(task.kind, 0.0) / 2
    return task.noise_std > half or task.photons > 0


def _level(config: Config) -> float:
    task = config.task
    return float(task.n_views if task.kind == "ct" else task.acceleration)
