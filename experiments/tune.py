"""Choose ζ, λ, ρ, η of every method on the validation subject, never on a test one.

The same procedure for each: coordinate descent over log-spaced values, all candidates
of a coordinate in one vmapped program, mean PSNR over evenly spaced slices. Writes
`experiments/tuning/<config>-<level>.json`; its numbers are copied into the config.

    python -m experiments.tune --config configs/mri_brats.py --subject itk_mprage
"""

import json
import math
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from ml_collections import ConfigDict, config_flags

from mgdm_jax import devices, factory, metrics, reconstruction, sweeps
from mgdm_jax.defaults import Config
from mgdm_jax.types import Array, Guidance

CANDIDATES = {
    "zeta": (0.1, 0.3, 0.5, 0.8, 1.5, 2.5, 4.0, 8.0),
    "lam": (1e-4, 1e-3, 1e-2, 5e-2, 0.2),
    "rho": (0.0, 1e-3, 5e-3, 2e-2, 0.1, 0.3),
    "eta": (0.3, 0.6, 0.85, 1.0),
}
START = {"zeta": 0.5, "lam": 1e-3, "rho": 0.0, "eta": 0.85}
COORDINATES = {
    "mgdm": ("zeta", "eta", "lam", "rho", "zeta"),
    "mgdm_no_pr": ("zeta", "eta", "zeta"),
    "mgdm_no_ir": ("lam", "eta"),
    "mgdm_no_i": ("rho", "eta", "lam"),
    "mgdm_no_r": ("zeta", "eta", "lam", "zeta"),
    "ddim": (),
    "ddnm": ("eta",),
    "dps": ("zeta", "eta", "zeta"),
}
"""What is searched for each method, in this order."""


def tune(config: Config, method: str, chunk: int) -> dict:
    """Return the chosen numbers of one method, with every candidate's PSNR."""
    config = ConfigDict(config)
    config.method = method
    prior, measured, sampler = factory.build(config)
    keys = jax.random.split(jax.random.key(config.sampler.seed), len(measured))
    problems = measured.problem(np.arange(len(measured)))
    reference = jnp.asarray(measured.reference)
    region = True if measured.region is None else measured.region
    n_devices = math.gcd(len(measured), jax.device_count())
    mesh = devices.mesh(jax.devices()[:n_devices])
    sample = reconstruction.batched(sampler, measured.axes, mesh)
    params = devices.replicate(mesh, prior.params)

    @jax.jit
    def psnr(guidance: Guidance) -> Array:
        def one(guidance: Guidance) -> Array:
            images, _ = sample(keys, params, problems, guidance)
            images = jnp.where(region, images, 0.0)
            return jnp.mean(jax.vmap(metrics.psnr)(reference, images))

        return sweeps.over_guidance(one, guidance, chunk)

    best, tried, started = dict(START), [], time.monotonic()
    for name in COORDINATES[method]:
        rows = [best | {name: value} for value in CANDIDATES[name]]
        columns = (np.array([row[k] for row in rows]) for k in Guidance._fields)
        values = np.asarray(
            psnr(Guidance(*(jnp.asarray(c, jnp.float32) for c in columns)))
        )
        tried += [r | {"psnr": float(v)} for r, v in zip(rows, values, strict=True)]
        best = rows[int(np.argmax(np.nan_to_num(values, nan=-np.inf)))]
    return {
        "chosen": best,
        "tried": tried,
        "network_evaluations": len(tried) * len(measured) * config.sampler.n_steps,
        "seconds": round(time.monotonic() - started, 1),
    }


_CONFIG = config_flags.DEFINE_config_file("config", None, "Task to tune for.")
_SUBJECT = flags.DEFINE_string("subject", None, "Validation subject (train split).")
_METHODS = flags.DEFINE_list("methods", list(COORDINATES), "Methods to tune.")
_SLICES = flags.DEFINE_integer("slices", 4, "Validation slices.")
_STEPS = flags.DEFINE_integer("steps", 50, "Network evaluations of one sample.")
_CHUNK = flags.DEFINE_integer("chunk", 1, "Candidates in memory at once.")


def main(argv: list[str]) -> None:
    """Tune the methods in turn, writing after each."""
    del argv
    config = _CONFIG.value
    config.data.split, config.data.subject = "train", _SUBJECT.value
    config.data.n_images, config.sampler.n_steps = _SLICES.value, _STEPS.value
    task = config.task
    level = task.n_views if task.kind == "ct" else task.acceleration
    noise = f"-noise{task.noise_std:g}" if task.noise_std else ""
    path = Path(f"experiments/tuning/{config.name}-{level:g}{noise}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    table = json.loads(path.read_text()) if path.exists() else {}
    for method in _METHODS.value:
        table[method] = tune(config, method, _CHUNK.value)
        path.write_text(json.dumps(table, indent=1))
        print(method, table[method]["chosen"], f"{table[method]['seconds']} s")


if __name__ == "__main__":
    app.run(main)
