"""Reconstruct: `python -m mgdm_jax.run --config configs/ct_lidc.py`.

Writes metrics.json, metrics.csv, reconstructions.h5, panel.png, config.json and
environment.json into the workdir, and prints a table.
"""

import copy
import sys
import time
from pathlib import Path

import jax
from absl import flags
from ml_collections import config_flags
from tqdm import tqdm

from mgdm_jax import (
    aside,
    commands,
    factory,
    hyperparameters,
    methods,
    ranges,
    reconstruction,
    results,
)
from mgdm_jax.defaults import Config
from mgdm_jax.operators import spectrum


def run(config: Config, workdir: Path) -> dict:
    """Reconstruct what the configuration names and return the summary.

    Raises:
      ValueError: with one line, for input that cannot be used; nothing is written.
    """
    if workdir.exists() and not workdir.is_dir():
        raise ValueError(f"{workdir} is a file; give a folder as --workdir.")
    if (workdir / "metrics.json").exists():
        raise ValueError(f"{workdir} holds a finished run; give another --workdir.")
    aside.check_inside(workdir)
    ranges.check(config)
    methods.make_process(config)  # an unknown method has no numbers either
    guidance = hyperparameters.resolve(config)
    config = _resolved(config, guidance)
    prior, measurements, sampler = factory.build(config)
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
    config = copy.deepcopy(config)
    for name in ("zeta", "lam", "rho"):
        config.guidance[name] = float(getattr(guidance, name))
    config.sampler.eta = float(guidance.eta)
    return config


def main(config: Config, workdir: str | None) -> None:
    """Reconstruct and print a table.

    Raises:
      ValueError: with one line, for input that cannot be used.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = Path(workdir or f"runs/{config.name}-{stamp}")
    if config.data.embedded and not config.data.path:
        sys.stdout.write("No data.path given: using the embedded sample.\n")
    facts = run(config, folder)
    sys.stdout.write(f"{results.table(facts)}\nwritten to {folder}\n")


def cli() -> None:
    """Define the flags and run; here, so that importing this module defines none."""
    config = config_flags.DEFINE_config_file(
        "config", None, "What to reconstruct, for example configs/mri_brats.py:smoke."
    )
    workdir = flags.DEFINE_string(
        "workdir", None, "Where to write; default runs/<config>-<time>."
    )
    flags.mark_flag_as_required("config")
    jax.config.config_with_absl()
    # The second start of a command need not compile again.
    cache = spectrum.default_cache_dir() / "xla"
    jax.config.update("jax_compilation_cache_dir", str(cache))
    commands.start(lambda _: main(config.value, workdir.value), n_words=0)


if __name__ == "__main__":
    cli()
