r"""Reconstruct what a configuration names: `python -m mgdm_jax.run --config CONFIG`.

Writes metrics.json, metrics.csv, reconstructions.h5, panel.png, config.json,
environment.json and report.html into the workdir, and prints a table. Stopped at any
moment, and started again with the same --workdir, it goes on to the same bits.

    python -m mgdm_jax.run --config mri_brats:demo
    python -m mgdm_jax.run --config ct_lidc --config.method=dds --config.task.n_views=10
    python -m mgdm_jax.run --config mine.py --config.data.path=scan.h5 --workdir out

Several processes, one a host say, share a run in a workdir that all of them can reach;
each starts with the same flags and its own --process-id, or where the cluster tells
them (TPU pods, SLURM) with --distributed:

    python -m mgdm_jax.run --config mri_brats --workdir out \
        --coordinator=host0:1234 --n-processes=2 --process-id=0

Configurations without a file's name are in the package, see `packaged`; of `--quiet`
and of events in JSON see `console`.
"""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from absl import flags
from ml_collections import config_flags

from mgdm_jax import (
    defaults,
    factory,
    hyperparameters,
    methods,
    posterior,
    processes,
    reconstruction,
    results,
)
from mgdm_jax.commands import console, fields, launch, packaged, ranges, workdirs
from mgdm_jax.defaults import Config
from mgdm_jax.measurements import Measurements
from mgdm_jax.running import batch_sizes, parts, resumable
from mgdm_jax.storage import aside


def run(
    config: Config, workdir: Path, *, to: console.Console = console.TALKATIVE
) -> dict:
    """Reconstruct what the configuration names and return the summary.

    Of several processes the first returns it, when all have done their share.

    Args:
      config: see `defaults.reconstruction`.
      workdir: where to write, and go on; no finished run lies there.
      to: is told the progress.

    Raises:
      ValueError: with one line, for input that cannot be used; nothing is written.
    """
    _enter(workdir)
    unfinished = workdir / parts.FOLDER
    with processes.together():
        ranges.check(config)
        methods.make_process(config)  # an unknown method has no numbers either
        prior, measurements, _ = factory.build(config)
        config = hyperparameters.with_level(config, measurements.level)
        guidance = hyperparameters.resolve(config)
        hyperparameters.note(config, guidance)
        sampler = factory.make(prior, methods.spared(config, guidance), results.N_KEPT)
        n, key = len(measurements), jax.random.key(config.sampler.seed)
        keys = posterior.keys(key, config.sampler.n_samples, n)
        facts = parts.facts(config, prior, measurements)
        parts.check(unfinished, facts)

    def work(stride: int) -> tuple[reconstruction.SampleFn, list[range]]:
        args = (keys, sampler, prior, measurements, guidance, stride)
        return reconstruction.by_batch(*args), reconstruction.batches(len(keys), stride)

    _check_alike(facts)
    if not processes.leads():
        resumable.contribute(work, unfinished)
        return {}

    def stride() -> int:
        if config.sampler.batch_size:
            return reconstruction.stride(config.sampler.batch_size, len(keys))
        return batch_sizes.choose(sampler, prior, measurements, guidance, len(keys))

    with parts.opened(unfinished, facts, stride) as kept:
        drawn = resumable.draw(*work(kept.stride), kept, to, config.method)
        config.sampler.batch_size = config.sampler.batch_size or kept.stride
        written = _write(config, measurements, drawn, workdir)
        kept.remove()
    return written


def _enter(workdir: Path) -> None:
    """Refuse a folder that cannot be written to, or is not the same for all."""
    with processes.together():
        _check_folder(workdir)
        if processes.leads():
            parts.forget_notes(workdir / parts.FOLDER)
    workdirs.check_shared(workdir)


def _check_folder(workdir: Path) -> None:
    if workdir.exists() and not workdir.is_dir():
        raise ValueError(f"{workdir} is a file; give a folder as --workdir.")
    for name, what in (("metrics.json", "a finished run"), ("sweep.csv", "a sweep")):
        if (workdir / name).exists():
            raise ValueError(f"{workdir} holds {what}; give another --workdir.")
    taken = [name for name in results.FILES if (workdir / name).exists()]
    if taken and not (workdir / parts.FOLDER).exists():
        raise ValueError(
            f"{workdir} holds a {taken[0]} that is no run's to replace; give another "
            "--workdir."
        )
    aside.check_inside(workdir)
    parts.check_nobody(workdir / parts.FOLDER)


def _check_alike(facts: Mapping[str, Any]) -> None:
    """Refuse processes that would mix parts of different runs."""
    if not processes.agree(json.dumps(facts, sort_keys=True)):
        raise ValueError(
            "the processes differ in their settings, weights, measurements or "
            "versions; start all of them alike."
        )


def _write(
    config: Config, measurements: Measurements, drawn: resumable.Drawn, workdir: Path
) -> dict:
    samples = posterior.apart(drawn.examples, len(measurements))
    done = results.Run(
        config,
        measurements,
        samples[0],
        drawn.seconds,
        std=posterior.mean_and_std(samples)[1] if len(samples) > 1 else None,
        null_space=posterior.null_space(measurements, samples[0].images),
        n_diverged_samples=int(drawn.examples.diverged.sum()),
    )
    return results.write(done, workdir)


def main(
    config: Config, workdir: str | None, *, to: console.Console = console.TALKATIVE
) -> None:
    """Reconstruct and tell about it.

    Raises:
      ValueError: with one line, for input that cannot be used.
    """
    if processes.count() > 1 and not workdir:
        raise ValueError("several processes need one --workdir, which all can reach.")
    if not processes.leads():
        to = console.SILENT
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = Path(workdir or f"runs/{config.name}-{stamp}")
    sample = bool(config.data.embedded and not config.data.path)
    started = {"config": config.name, "method": config.method, "workdir": str(folder)}
    to.event(
        "start",
        started | {"embedded_sample": sample},
        "No data.path given: using the embedded sample.\n" if sample else "",
    )
    again = f"the same command with --workdir={folder}"
    with resumable.telling(folder / parts.FOLDER, again):
        facts = run(config, folder, to=to)
    if not processes.leads():
        return
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
        "workdir", None, "Where to write, and go on; default runs/<config>-<time>."
    )
    joining = launch.define_processes()
    flags.mark_flag_as_required("config")
    talking = console.define_flags()
    launch.keep_compilations()

    def start(words: list[str]) -> None:
        del words
        workdirs.check_path(workdir.value)
        fields.check(config.value, defaults.reconstruction(), "train")
        sampler, data = config.value.sampler, config.value.data
        n_examples = data.n_images * sampler.n_samples
        launch.use_cores(min(sampler.batch_size or n_examples, n_examples))
        joining()
        main(config.value, workdir.value, to=talking())

    launch.start(start, n_words=0)


if __name__ == "__main__":
    cli()
