r"""Train a diffusion prior: `python -m mgdm_jax.train --config CONFIG`.

Writes into the workdir: checkpoints (resumed bit for bit when started again),
`prior.safetensors` (EMA weights in half precision), `metrics.csv`, `samples/` (grids
of unconditional samples), `config.json`.

    python -m mgdm_jax.train --config priors/brain_t1 --workdir runs/mine
    python -m mgdm_jax.train --config priors/chest_ct:paper --config.data.path=chests.h5

Batches are split over all devices; on a CPU, `JAX_NUM_CPU_DEVICES=2` in front of the
command makes two of it, see `experiments/benchmarks/train_step.py`. Several processes,
one a host say, train one prior on all of their devices, in a workdir that all of them
can reach; each starts with the same flags and its own --process-id, or where the
cluster tells them (TPU pods, SLURM) with --distributed:

    python -m mgdm_jax.train --config priors/brain_t1 --workdir out \
        --coordinator=host0:1234 --n-processes=2 --process-id=0
"""

import dataclasses
import functools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import flags
from ml_collections import config_flags

from mgdm_jax import devices, fingerprints, priors, processes
from mgdm_jax.commands import console, fields, launch, packaged, ranges, workdirs
from mgdm_jax.data import pipelines
from mgdm_jax.defaults import Config
from mgdm_jax.networks import unet
from mgdm_jax.training import (
    checkpoints,
    continuing,
    defaults,
    log,
    objectives,
    sources,
    specs,
    starting,
    steps,
    unconditional,
)
from mgdm_jax.types import Params


@dataclasses.dataclass
class Run:
    """What one training is made of: static choices and compiled functions."""

    spec: priors.PriorSpec
    config: Config
    train_step: Any
    evaluate: Any
    columns: tuple[str, ...]
    state: steps.TrainState
    mesh: jax.sharding.Mesh

    @functools.cached_property
    def draw(self) -> Callable[[Params, Path], None]:
        """Return what writes a grid of samples of weights, compiled once."""
        return unconditional.make_grid(self.spec)

    def place(self, images: np.ndarray) -> jax.Array:
        """Return images [b, h, w, c] in network units, split over the devices."""
        return devices.split(self.mesh, self.spec.scale * images + self.spec.offset)

    def join(self, part: np.ndarray) -> jax.Array:
        """Return the batch of which each process has its part, likewise."""
        return devices.joined(self.mesh, self.spec.scale * part + self.spec.offset)


def build(
    config: Config,
    on: Sequence[Any] | None = None,
    begun: priors.PriorSpec | None = None,
) -> Run:
    """Make network, optimiser, state and compiled functions from a config.

    Args:
      config: see `training.defaults`.
      on: devices to train on; by default all, of all processes. Each holds the whole
        state.
      begun: facts of a training that is to go on from a checkpoint; its donor has then
        given what it had to give, and may be gone.

    Raises:
      ValueError: if the batch cannot be split over the devices, or processes have more
        of them than others.
    """
    mesh = devices.mesh(on or jax.devices())
    if not on and mesh.size != processes.count() * len(jax.local_devices()):
        raise ValueError(
            f"processes must have as many devices each, got {mesh.size} of "
            f"{processes.count()} processes, {len(jax.local_devices())} of this one."
        )
    if config.train.batch_size % mesh.size:
        raise ValueError(
            f"train.batch_size must be a multiple of the {mesh.size} devices, got "
            f"{config.train.batch_size}."
        )
    network = _network(config)
    init_key, run_key = jax.random.split(jax.random.key(config.train.seed))
    apply = unet.make_apply(network)
    params = unet.initialise(network, init_key)
    if (donor := specs.donor(config)) and not begun:
        params = starting.from_donor(donor, config, params)
    train = config.train
    tx = steps.optimiser(
        train.learning_rate, train.warmup_steps, train.n_steps, train.decay_share
    )
    objective = objectives.make(config, apply)
    step = steps.make_train_step(objective.loss, tx, train.ema_decay)
    whole = devices.whole(mesh)
    begin = jax.jit(lambda p: steps.init_state(p, tx, run_key), out_shardings=whole)
    return Run(
        spec=begun or specs.make(config),
        config=config,
        train_step=jax.jit(step, donate_argnums=0, out_shardings=whole),
        evaluate=jax.jit(objective.evaluate, out_shardings=whole),
        columns=objective.columns,
        state=begin(params),
        mesh=mesh,
    )


def _network(config: Config) -> unet.UNetConfig:
    network = unet.UNetConfig.from_fields(config.network.to_dict())
    if (sizes := network.attention_resolutions) and not network.attending:
        told = "network.attention_resolutions: %s is the size of no level."
        logging.warning(told, sizes)
    return network


def train(
    config: Config, workdir: Path, *, to: console.Console = console.TALKATIVE
) -> Path:
    """Train to `config.train.n_steps`, resuming what the workdir holds.

    Where that has as many steps already, nothing is done; one of another training is
    refused. Of several processes each makes its part of every batch, and the first
    writes but for its checkpoints.

    Args:
      config: see `training.defaults`.
      workdir: where to write, and to resume from.
      to: is told the progress.

    Returns:
      The path of the prior file.

    Raises:
      ValueError: with one line, for a configuration that cannot be trained; nothing is
        written.
    """
    prior = workdir / priors.FILE
    with processes.together():
        ranges.check_training(config)
    workdirs.check_shared(workdir)
    newest = continuing.newest(workdir, config)
    with processes.together():
        begun = priors.load(prior)[0] if newest and prior.is_file() else None
        if begun and newest >= config.train.n_steps:
            return prior
        source, followed = sources.make_source(config), sources.monitored(config)
    run = build(config, begun=begun)
    dataset = pipelines.training_dataset(
        source,
        batch_size=config.train.batch_size,
        process=processes.index(),
        n_processes=processes.count(),
    )
    batches, monitored = iter(dataset), {k: run.place(v) for k, v in followed.items()}
    workdir.mkdir(parents=True, exist_ok=True)
    saves = checkpoints.Checkpoints(workdir / "checkpoints")
    try:
        state = saves.restore(run.state, batches) or run.state
        if int(state.step):
            logging.info("resumed at step %d from %s", int(state.step), workdir)
        if processes.leads():
            fingerprints.keep(workdir / continuing.CONFIG, config)
            log.forget_after(workdir / "metrics.csv", int(state.step))
            if int(state.step) >= config.train.n_steps:
                _keep(run, state, prior)
        _loop(run, state, batches, monitored, saves, workdir, to)
    finally:
        saves.close()
    return prior


def _loop(
    run: Run,
    state: steps.TrainState,
    batches: Iterator[np.ndarray],
    monitored: dict[str, jax.Array],
    saves: checkpoints.Checkpoints,
    workdir: Path,
    to: console.Console,
) -> None:
    train, leads = run.config.train, processes.leads()
    losses, started = [], time.monotonic()
    count = to.progress(train.n_steps, "step", done=int(state.step), every=30)
    for step in range(int(state.step) + 1, train.n_steps + 1):
        state, value = run.train_step(state, run.join(next(batches)))
        losses.append(value)
        count.update()
        if step % train.log_every == 0 or step == train.n_steps:
            row = {"step": step, "loss": float(np.mean(jax.device_get(losses)))}
            row["seconds"] = round(time.monotonic() - started, 1)
            losses = []
            log.check_finite(row)
            if step % train.validate_every == 0 or step == train.n_steps:
                row |= _validate(run, state, monitored)
            if leads:
                log.append(workdir / "metrics.csv", row, run.columns)
            count.tell(row, note=f"loss={row['loss']:.4f}")
        if leads and train.sample_every and step % train.sample_every == 0:
            path = workdir / "samples" / f"{step:07d}.png"
            run.draw(jax.device_get(state.ema_params), path)
        if step % train.save_every == 0 or step == train.n_steps:
            # First, for where a checkpoint says that all is done, it must be there.
            if leads:
                _keep(run, state, workdir / priors.FILE)
            saves.save(state, batches)
    count.bar.close()


def _keep(run: Run, state: steps.TrainState, path: Path) -> None:
    """Write the averaged weights with their facts."""
    facts = run.spec.training | {"steps": int(state.step)}
    priors.save(path, dataclasses.replace(run.spec, training=facts), state.ema_params)


def _validate(
    run: Run, state: steps.TrainState, monitored: dict[str, jax.Array]
) -> dict[str, float]:
    """Return what the objective evaluates, of each image set."""
    row = {}
    for name, images in monitored.items():
        values = np.asarray(run.evaluate(state.ema_params, images))
        row |= {
            f"{name}_{column}": float(v)
            for column, v in zip(run.columns, values, strict=True)
        }
    return row


def cli() -> None:
    """Define the flags and train; here, so that importing this module defines none."""
    config = config_flags.DEFINE_config_file(
        "config",
        None,
        f"Prior to train: a file, or of the package {', '.join(packaged.trainings())}. "
        "--config.FIELD=VALUE changes a field.",
    )
    workdir = flags.DEFINE_string(
        "workdir", None, "Where to write; default runs/priors/<name>."
    )
    joining = launch.define_processes()
    flags.mark_flag_as_required("config")
    talking = console.define_flags()
    launch.keep_compilations()

    def main(words: list[str]) -> None:
        del words
        workdirs.check_path(workdir.value)
        least, most = defaults.prior_training(), defaults.supervised_training()
        fields.check(config.value, least, "run", most)
        # orbax reports every save in a dozen lines.
        logging.getLogger("absl").setLevel(logging.WARNING)
        folder = Path(workdir.value or f"runs/priors/{config.value.name}")
        joining()
        to = talking() if processes.leads() else console.SILENT
        to.event("start", {"config": config.value.name, "workdir": str(folder)})
        before = checkpoints.newest_step(folder / "checkpoints")
        path, wanted = train(config.value, folder, to=to), config.value.train.n_steps
        text = f"wrote {path}\n"
        if before >= wanted:
            text = f"already finished: {path} has {before} steps of {wanted}\n"
        facts = {"prior": str(path), "steps_taken": max(wanted - before, 0)}
        if processes.leads():
            to.event("result", facts, text, brief=f"{path}\n")

    launch.start(main, n_words=0)


if __name__ == "__main__":
    cli()
