"""Reconstruct what a configuration names: `python -m mgdm_jax.run --config CONFIG`.

Writes metrics.json, metrics.csv, reconstructions.h5, panel.png, config.json,
environment.json and report.html into the workdir, and prints a table.

    python -m mgdm_jax.run --config mri_brats:demo
    python -m mgdm_jax.run --config ct_lidc --config.method=dds --config.task.n_views=10
    python -m mgdm_jax.run --config mine.py --config.data.path=scan.h5 --workdir out

Configurations without a file's name are in the package, see `packaged`; of `--quiet`
and of events in JSON see `console`.
"""

import copy
import sys
import time
from pathlib import Path

import jax
from absl import flags
from ml_collections import config_flags

from mgdm_jax import (
    aside,
    commands,
    console,
    factory,
    hyperparameters,
    methods,
    packaged,
    posterior,
    ranges,
    results,
)
from mgdm_jax.defaults import Config


def run(
    config: Config, workdir: Path, *, to: console.Console = console.TALKATIVE
) -> dict:
    """Reconstruct what the configuration names and return the summary.

    Args:
      config: see `defaults.reconstruction`.
      workdir: where to write; no finished run lies there.
      to: is told the progress.

    Raises:
      ValueError: with one line, for input that cannot be used; nothing is written.
    """
    if workdir.exists() and not workdir.is_dir():
        raise ValueError(f"{workdir} is a file; give a folder as --workdir.")
    for name, what in (("metrics.json", "a finished run"), ("sweep.csv", "a sweep")):
        if (workdir / name).exists():
            raise ValueError(f"{workdir} holds {what}; give another --workdir.")
    aside.check_inside(workdir)
    ranges.check(config)
    methods.make_process(config)  # an unknown method has no numbers either
    guidance = hyperparameters.resolve(config)
    config = _resolved(config, guidance)
    prior, measurements, sampler = factory.build(config, results.N_KEPT)
    started, n_samples = time.monotonic(), config.sampler.n_samples
    with to.progress(n_samples * len(measurements), "image", config.method) as count:
        drawn = posterior.draw(
            jax.random.key(config.sampler.seed),
            n_samples,
            sampler,
            prior,
            measurements,
            guidance,
            config.sampler.batch_size,
            progress=count.advance,
        )
    seconds = time.monotonic() - started
    done = results.Run(
        config,
        measurements,
        drawn[0],
        seconds,
        std=posterior.mean_and_std(drawn)[1] if n_samples > 1 else None,
        null_space=posterior.null_space(measurements, drawn[0].images),
    )
    return results.write(done, workdir)


def _resolved(config: Config, guidance) -> Config:
    """Return the configuration with ζ, λ, ρ, η as they will be used."""
    config = copy.deepcopy(config)
    for name in ("zeta", "lam", "rho"):
        config.guidance[name] = float(getattr(guidance, name))
    config.sampler.eta = float(guidance.eta)
    return config


def main(
    config: Config, workdir: str | None, *, to: console.Console = console.TALKATIVE
) -> None:
    """Reconstruct and tell about it.

    Raises:
      ValueError: with one line, for input that cannot be used.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = Path(workdir or f"runs/{config.name}-{stamp}")
    sample = bool(config.data.embedded and not config.data.path)
    started = {"config": config.name, "method": config.method, "workdir": str(folder)}
    to.event(
        "start",
        started | {"embedded_sample": sample},
        "No data.path given: using the embedded sample.\n" if sample else "",
    )
    facts = run(config, folder, to=to)
    text = f"{results.table(facts)}\nwritten to {folder}\n"
    to.event("result", {"workdir": str(folder)} | facts, text, brief=f"{folder}\n")
    if to.quiet or to.as_json:
        sys.stderr.writelines(f"{line}\n" for line in results.warnings(facts))


def cli() -> None:
    """Define the flags and run; here, so that importing this module defines none."""
    config = config_flags.DEFINE_config_file(
        "config",
        None,
        f"What to reconstruct: a file, or of the package {', '.join(packaged.tasks())}"
        "; :smoke, :demo or :paper may follow. --config.FIELD=VALUE changes a field.",
    )
    workdir = flags.DEFINE_string(
        "workdir", None, "Where to write; default runs/<config>-<time>."
    )
    flags.mark_flag_as_required("config")
    talking = console.define_flags()
    commands.keep_compilations()

    def start(words: list[str]) -> None:
        del words
        commands.check_kind(config.value, "sampler", "train")
        main(config.value, workdir.value, to=talking())

    commands.start(start, n_words=0)


if __name__ == "__main__":
    cli()
