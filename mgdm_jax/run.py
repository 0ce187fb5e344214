"""Reconstruct: `python -m mgdm_jax.run --config configs/ct_lidc.py`.

Writes metrics.json, metrics.csv, reconstructions.h5, panel.png, config.json and
environment.json into the workdir, and prints a table.
"""

import sys
import time
from pathlib import Path

import jax
from absl import app, flags
from ml_collections import ConfigDict, config_flags
from tqdm import tqdm

from mgdm_jax import factory, reconstruction, results
from mgdm_jax.defaults import Config


def run(config: Config, workdir: Path) -> dict:
    """Reconstruct what the configuration names and return the summary.

    Raises:
      ValueError: with one line, for input that cannot be used; nothing is written.
    """
    if (workdir / "metrics.json").exists():
        raise ValueError(f"{workdir} holds a finished run; give another --workdir.")
    guidance = factory.resolve_guidance(config)
    config = _resolved(config, guidance)
    prior = factory.load_prior(
        config.prior.path,
        clip_denoised=config.prior.clip_denoised,
        clip_gradient=config.prior.clip_gradient,
    )
    measurements = factory.load_measurements(config, prior.image_shape)
    sampler = factory.make_sampler(
        prior, factory.make_step(config), factory.make_grid(config, prior.alpha_bar)
    )
    started = time.monotonic()
    with tqdm(total=len(measurements), unit="image", desc=config.method) as bar:
        result = reconstruction.reconstruct(
            jax.random.key(config.sampler.seed),
            sampler,
            prior,
            measurements,
            guidance,
            config.sampler.batch_size,
            progress=bar.update,
        )
    seconds = time.monotonic() - started
    done = results.Run(config, measurements, result, seconds)
    return results.write(done, workdir)


def _resolved(config: Config, guidance) -> Config:
    """Return the configuration with ζ, λ, ρ, η as they will be used."""
    config = ConfigDict(config)
    for name in ("zeta", "lam", "rho"):
        config.guidance[name] = float(getattr(guidance, name))
    config.sampler.eta = float(guidance.eta)
    return config


_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "What to reconstruct, for example configs/mri_brats.py:smoke."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where to write; default runs/<config>-<time>."
)


def main(argv: list[str]) -> None:
    """Run what the flags name; exit code 2 and one line for bad input."""
    del argv
    config = _CONFIG.value
    stamp = time.strftime("%Y%m%d-%H%M%S")
    workdir = Path(_WORKDIR.value or f"runs/{config.name}-{stamp}")
    if not config.data.path:
        _say("No data.path given: using the embedded sample.")
    try:
        facts = run(config, workdir)
    except ValueError as error:
        _say(f"error: {error}", sys.stderr)
        sys.exit(2)
    _say(results.table(facts))
    _say(f"written to {workdir}")


def _say(text: str, stream=None) -> None:
    (stream or sys.stdout).write(text + "\n")


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    jax.config.config_with_absl()
    app.run(main)
