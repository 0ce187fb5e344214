"""Choose ζ, λ, ρ, η of every method on the validation subject, never on a test one.

The same procedure for each: coordinate descent over log-spaced values, `--chunk`
candidates at a time in one vmapped program, mean PSNR over evenly spaced slices. Where
the largest candidate wins, doubled ones follow until one loses; a coordinate that
returns is refined around its best value. Writes
`experiments/tuning/<config>-<level>.json`; its numbers are copied into the config.
Resumable: a method found there under the same settings is not searched again.

    python -m experiments.tune --config configs/mri_brats.py --subject itk_mprage
"""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from ml_collections import ConfigDict, config_flags

from experiments import rows
from mgdm_jax import devices, factory, metrics, reconstruction
from mgdm_jax.defaults import Config
from mgdm_jax.types import Array, Guidance

CANDIDATES = {
    "zeta": (0.25, 0.5, 1.0, 2.0, 4.0, 8.0),
    "lam": (1e-4, 1e-3, 1e-2, 5e-2, 0.2),
    "rho": (0.0, 1e-3, 5e-3, 2e-2, 0.1, 0.3),
    "eta": (0.3, 0.6, 0.85, 1.0),
}
START = {"zeta": 0.5, "lam": 1e-3, "rho": 0.0, "eta": 0.85}
STARTS = {"dps_1000": START | {"eta": 1.0}}
COORDINATES = {
    "mgdm": ("zeta", "eta", "lam", "rho", "zeta"),
    "mgdm_no_pr": ("zeta", "eta", "zeta"),
    "mgdm_no_ir": ("lam", "eta", "lam"),
    "mgdm_no_i": ("rho", "eta", "lam", "rho"),
    "mgdm_no_r": ("zeta", "eta", "lam", "zeta"),
    "ddnm": ("eta",),
    "ddnm_fbp": ("eta",),
    "ddnm_plus": ("eta",),
    "dps": ("zeta", "eta", "zeta"),
    "dps_1000": ("zeta", "zeta"),
}
"""What is searched for each row of `rows.VARIANTS`, in this order."""

MAX_DOUBLINGS = 4
REFINEMENT = 1.5
"""Factor by which a returning coordinate is tried below and above its best value."""


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


def search(
    coordinates: tuple[str, ...], evaluate: Callable, start: dict
) -> tuple[dict, list[dict]]:
    """Return the best numbers of a coordinate descent, and every row with its PSNR."""
    best, tried = dict(start), []

    def attempt(name: str, values: tuple[float, ...]) -> None:
        rows = [best | {name: value} for value in values]
        known = [{k: row[k] for k in best} for row in tried]
        rows = [row for row in rows if row not in known]
        if rows:
            psnr = evaluate(rows)
            tried.extend(
                r | {"psnr": float(v)} for r, v in zip(rows, psnr, strict=True)
            )
        winner = max(tried, key=lambda row: row["psnr"])
        best.update({k: winner[k] for k in best})

    for i, name in enumerate(coordinates):
        if name in coordinates[:i]:
            attempt(name, (best[name] / REFINEMENT, best[name] * REFINEMENT))
            continue
        largest = CANDIDATES[name][-1]
        attempt(name, CANDIDATES[name])
        for _ in range(0 if name == "eta" else MAX_DOUBLINGS):
            if best[name] < largest:
                break
            largest = 2 * largest
            attempt(name, (largest,))
    return best, tried


_CONFIG = config_flags.DEFINE_config_file("config", None, "Task to tune for.")
_SUBJECT = flags.DEFINE_string("subject", None, "Validation subject (train split).")
_METHODS = flags.DEFINE_list("methods", list(COORDINATES), "Methods to tune.")
_SLICES = flags.DEFINE_integer("slices", 2, "Validation slices.")
_STEPS = flags.DEFINE_integer("steps", 100, "Network evaluations of one sample.")
_CHUNK = flags.DEFINE_integer("chunk", 1, "Candidates in memory at once.")


def tune(config: Config, name: str, settings: dict, chunk: int) -> dict:
    """Return what is known after the search of one row."""
    started = time.monotonic()
    config = rows.configured(config, name)
    start = STARTS.get(name, START)
    best, tried = search(COORDINATES[name], evaluator(config, chunk), start)
    n_evaluations = len(tried) * config.data.n_images * config.sampler.n_steps
    return {
        "chosen": best,
        "psnr": max(row["psnr"] for row in tried),
        "settings": settings,
        "network_evaluations": n_evaluations,
        "seconds": round(time.monotonic() - started, 1),
        "tried": tried,
    }


def main(argv: list[str]) -> None:
    """Tune the methods in turn, writing after each."""
    del argv
    config: Config = ConfigDict(_CONFIG.value)
    config.data.split, config.data.subject = "train", _SUBJECT.value
    config.data.n_images, config.sampler.n_steps = _SLICES.value, _STEPS.value
    path = Path(f"experiments/tuning/{rows.level_name(config)}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    table = json.loads(path.read_text()) if path.exists() else {}
    settings = {"subject": _SUBJECT.value, "slices": _SLICES.value}
    settings |= {"steps": _STEPS.value, "prior": config.prior.path}
    for name in rows.applicable(config, _METHODS.value):
        if table.get(name, {}).get("settings") != settings:
            table[name] = tune(config, name, settings, _CHUNK.value)
            path.write_text(json.dumps(table, indent=1))
        found = table[name]
        summary = f"{found['psnr']:.2f} dB, {found['seconds']} s"
        print(name, found["chosen"], summary, flush=True)


if __name__ == "__main__":
    app.run(main)
