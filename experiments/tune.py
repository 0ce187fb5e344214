"""Choose ζ, λ, ρ, η of every method on the validation subject, never on a test one.

The same procedure for each row, mean PSNR over evenly spaced slices: with a quarter of
the steps, coordinate descent over the candidates of `search`, the largest doubled as
long as it wins; then, with all steps, every coordinate climbs by its `STRIDE` while
that gains. Rows of one family share what they tried. Writes
`experiments/tuning/<config>-<level>….json`; its numbers are copied into the config.
Resumable: a row found there under the same settings is not searched again.

A shipped prior has met every training subject: the search wants the weights from before
that, of which the validation subject was held back.

    python -m experiments.tune --config configs/mri_brats.py --subject itk_mprage \
        --config.prior.path=experiments/weights/brain_t1_held_back.safetensors
"""

import copy
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from ml_collections import config_flags

from experiments import rows, scoring, search
from mgdm_jax import devices, factory, methods, metrics, priors, reconstruction
from mgdm_jax.defaults import Config
from mgdm_jax.types import Array, Guidance

STRIDE = {"zeta": 1.5, "lam": 3.0, "rho": 2.0}
ETA_STRIDE = 0.1

MAX_DOUBLINGS = 4
MIN_GAIN = 0.02
"""A stride that gains less, in dB, is the last of its coordinate."""

COARSE = 4
"""The first stage takes 1 / COARSE of the steps."""


def evaluator(config: Config, chunk: int) -> Callable[[list[dict]], np.ndarray]:
    """Return rows of numbers -> mean PSNR of each, -inf where it diverges."""
    prior, measured, sampler = factory.build(config)
    keys = jax.random.split(jax.random.key(config.sampler.seed), len(measured))
    problems = measured.problem(np.arange(len(measured)))
    reference = jnp.asarray(measured.reference)
    region = True if measured.region is None else measured.region
    n_devices = math.gcd(len(measured), jax.device_count())
    mesh = devices.mesh(jax.devices()[:n_devices])
    sample = reconstruction.batched(sampler, measured.axes, mesh)
    params = devices.replicate(mesh, prior.params)

    def psnr(guidance: Guidance) -> Array:
        images, _ = sample(keys, params, problems, guidance)
        images = jnp.where(region, images, 0.0)
        return jnp.mean(jax.vmap(metrics.psnr)(reference, images))

    over_rows = jax.jit(jax.vmap(psnr))

    def evaluate(asked: list[dict]) -> np.ndarray:
        padded = asked + [asked[-1]] * (-len(asked) % chunk)
        found = []
        for start in range(0, len(padded), chunk):
            part = padded[start : start + chunk]
            columns = ([row[name] for row in part] for name in Guidance._fields)
            numbers = Guidance(*(jnp.asarray(c, jnp.float32) for c in columns))
            found.append(np.asarray(over_rows(numbers)))
        values = np.concatenate(found)[: len(asked)]
        return np.nan_to_num(values, nan=-np.inf)

    return evaluate


def classical_evaluator(config: Config) -> Callable[[list[dict]], np.ndarray]:
    """Return the same of a classical row, whose only number is its weight λ."""
    from experiments import classical  # needs sigpy, which the other rows do not

    def psnr(weight: float) -> float:
        reference, images = classical.reconstruct(config, weight)
        return float(reconstruction.scores(reference, images).psnr.mean())

    return lambda asked: np.array([psnr(row["lam"]) for row in asked])


def attempt(
    evaluate: Callable, tried: list[dict], best: dict, name: str, values: tuple
) -> dict:
    """Return the best numbers after trying values of one coordinate.

    Args:
      evaluate: rows of numbers -> PSNR of each.
      tried: rows with their PSNR; new ones are appended, known ones not asked again.
      best: numbers to start from.
      name: the coordinate.
      values: what it is set to.
    """
    known = [{k: row[k] for k in best} for row in tried]
    asked = [best | {name: value} for value in values]
    asked = [row for row in asked if row not in known]
    if asked:
        psnr = evaluate(asked)
        tried.extend(r | {"psnr": float(v)} for r, v in zip(asked, psnr, strict=True))
    winner = max(tried, key=lambda row: row["psnr"])
    return {k: winner[k] for k in best}


def descend(
    space: search.Space, evaluate: Callable, best: dict, tried: list[dict]
) -> dict:
    """Return the best numbers of one pass over the candidates of each coordinate."""
    for name, candidates in space.items():
        best = attempt(evaluate, tried, best, name, candidates)
        largest = candidates[-1]
        for _ in range(0 if name == "eta" else MAX_DOUBLINGS):
            if best[name] < largest:
                break
            largest = 2 * largest
            best = attempt(evaluate, tried, best, name, (largest,))
    return best


def climb(
    space: search.Space, evaluate: Callable, best: dict, tried: list[dict]
) -> dict:
    """Return the best numbers after each coordinate went uphill as far as it gains.

    The start is tried first: `tried` holds no values of fewer steps.
    """
    best = attempt(evaluate, tried, best, "eta", (best["eta"],))
    for name, candidates in space.items():
        gain = math.inf
        while gain > MIN_GAIN:
            before, around = _top(tried), neighbours(name, best[name], candidates)
            best = attempt(evaluate, tried, best, name, around)
            gain = _top(tried) - before
    return best


def _top(tried: list[dict]) -> float:
    return max(row["psnr"] for row in tried)


def neighbours(
    name: str, value: float, candidates: tuple[float, ...]
) -> tuple[float, ...]:
    """Return the values one stride below and above; of 0 the least positive one."""
    if name == "eta":
        both = (round(value - ETA_STRIDE, 3), round(value + ETA_STRIDE, 3))
        return tuple(v for v in both if 0 <= v <= 1)
    if value == 0:
        return (next(v for v in candidates if v > 0),)
    return (value / STRIDE[name], value * STRIDE[name])


_CONFIG = config_flags.DEFINE_config_file("config", None, "Task to tune for.")
_SUBJECT = flags.DEFINE_string(
    "subject", None, "Validation subject (train split).", required=True
)
_METHODS = flags.DEFINE_list("methods", list(search.SPACES), "Methods to tune.")
_SLICES = flags.DEFINE_integer("slices", 2, "Validation slices.")
_STEPS = flags.DEFINE_integer("steps", 100, "Network evaluations of one sample.")
_CHUNK = flags.DEFINE_integer("chunk", 1, "Candidates in memory at once.")


def tune(config: Config, name: str, table: dict, settings: dict, chunk: int) -> dict:
    """Return what is known after the search of one row."""
    started = time.monotonic()
    config = rows.configured(config, name)
    space, n_steps = search.SPACES[name], config.sampler.n_steps
    best, stages, cost = search.start(name), {}, np.zeros(2, int)
    for stage, share in ((descend, COARSE), (climb, 1)):
        config.sampler.n_steps = max(1, n_steps // share)
        tried = shared(table, name, stage.__name__, best, settings)
        n_shared = len(tried)
        if name in rows.CLASSICAL:
            evaluate = classical_evaluator(config)
        else:
            evaluate = evaluator(config, chunk)
        best = stage(space, evaluate, best, tried)
        stages[stage.__name__] = tried
        n_images = config.data.n_images * (len(tried) - n_shared)
        if name not in rows.CLASSICAL:
            cost += n_images * np.array([methods.nfe(config), methods.backward(config)])
    return {
        "chosen": best,
        "psnr": _top(stages["climb"]),
        "settings": settings,
        "network_evaluations": {"forward": int(cost[0]), "backward": int(cost[1])},
        "seconds": round(time.monotonic() - started, 1),
        "tried": stages,
    }


def shared(table: dict, name: str, stage: str, best: dict, settings: dict) -> list:
    """Return what rows of the same family have tried that is a case of this one."""
    fixed = [k for k in best if k not in search.SPACES[name]]
    found = [
        row
        for other in (search.FAMILY if name in search.FAMILY else ())
        if table.get(other, {}).get("settings") == settings
        for row in table[other]["tried"][stage]
        if all(row[k] == 0 for k in fixed)
    ]
    return [row for i, row in enumerate(found) if row not in found[:i]]


def circumstances(config: Config) -> dict:
    """Return what a search depends on, its space aside; a family shares it."""
    data = {"subject": config.data.subject, "slices": config.data.n_images}
    kept = scoring.circumstances(config)
    kept["forms"] = {k: v for k, v in kept["forms"].items() if k not in search.NUMBERS}
    return data | kept


def check_held_back(prior: str, subject: str) -> None:
    """Refuse a prior that was trained on the validation subject.

    Raises:
      ValueError: with one line.
    """
    met = priors.met(priors.load(prior)[0])
    if subject in met:
        raise ValueError(
            f"prior {prior} was trained on {subject}; give one that was not with "
            "--config.prior.path, as experiments/weights holds them."
        )


def main(argv: list[str]) -> None:
    """Tune the methods in turn, writing after each."""
    del argv
    config: Config = copy.deepcopy(_CONFIG.value)
    try:
        check_held_back(config.prior.path, _SUBJECT.value)
    except ValueError as error:
        sys.exit(f"error: {error}")
    config.data.split, config.data.subject = "train", _SUBJECT.value
    config.data.n_images, config.sampler.n_steps = _SLICES.value, _STEPS.value
    path = Path(f"experiments/tuning/{rows.level_name(config)}.json")
    table = json.loads(path.read_text()) if path.exists() else {}
    for name in rows.applicable(config, _METHODS.value):
        settings = circumstances(rows.configured(config, name))
        space = {k: list(v) for k, v in search.SPACES[name].items()}
        known = table.get(name, {})
        if (known.get("settings"), known.get("space")) != (settings, space):
            table[name] = tune(config, name, table, settings, _CHUNK.value)
            table[name]["space"] = space
            scoring.keep(path, table)
        found = table[name]
        summary = f"{found['psnr']:.2f} dB, {found['seconds']} s"
        print(name, found["chosen"], summary, flush=True)


if __name__ == "__main__":
    app.run(main)
