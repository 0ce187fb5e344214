"""What a training minimises and reports: the diffusion loss, or a supervised one."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mgdm_jax import factory, priors, schedules, simulate
from mgdm_jax.defaults import Config
from mgdm_jax.operators import projection
from mgdm_jax.training import steps, supervised
from mgdm_jax.types import Array, Params


class Objective(NamedTuple):
    """One way to train a network, on images [b, h, w, c] in network units.

    Attributes:
      loss: (params, images, key) -> scalar.
      evaluate: (params, images) -> [len(columns)], without chance.
      columns: what `evaluate` returns, for the log.
    """

    loss: Callable[[Params, Array, Array], Array]
    evaluate: Callable[[Params, Array], Array]
    columns: tuple[str, ...]


def make(config: Config, apply: Callable) -> Objective:
    """Return the objective of `config.loss.prediction`: a prior's, but for "image".

    Raises:
      ValueError: if that, or the loss's weight, is none.
    """
    for field, names in (("prediction", priors.PREDICTIONS), ("weight", ("eps", "v"))):
        if config.loss[field] not in names:
            raise ValueError(
                f"loss.{field} must be {' or '.join(names)}, got "
                f"{config.loss[field]!r}."
            )
    make_one = _supervised if config.loss.prediction == "image" else _diffusion
    return make_one(config, apply)


def _diffusion(config: Config, apply: Callable) -> Objective:
    chosen, levels = config.loss, steps.LEVELS
    alpha_bar = jnp.asarray(schedules.discrete_vp(chosen.schedule), jnp.float32)
    static = steps.LossConfig(chosen.prediction, chosen.weight, chosen.time_power)
    return Objective(
        loss=functools.partial(steps.loss, apply, static, alpha_bar),
        evaluate=steps.losses_by_level(apply, chosen.prediction, alpha_bar, levels),
        columns=tuple(f"t{t}" for t in levels),
    )


def _supervised(config: Config, apply: Callable) -> Objective:
    if "task" not in config:
        raise ValueError(
            "loss.prediction=image wants a task; use a file of configs/supervised."
        )
    if config.task.noise_std or config.task.photons:
        raise ValueError(
            "supervised training is on noiseless measurements; leave task.noise_std "
            "and task.photons at 0."
        )
    if config.train.sample_every:
        raise ValueError(
            "a supervised network draws no samples; leave train.sample_every at 0, got "
            f"{config.train.sample_every}."
        )
    units, network = config.units, config.network
    size, channels = network.image_size, network.in_channels
    shape = (size, size) if channels == 1 else (size, size, channels)
    factory.check_kind(config.task, shape)
    operator, _ = simulate.make_operator(config.task, shape)
    region = projection.inscribed_circle(size) if config.task.kind == "ct" else True

    def degrade(images: Array) -> Array:
        clean = ((images - units.offset) / units.scale).reshape(-1, *shape)
        clean = jnp.where(region, clean, 0.0)
        baseline = jax.vmap(lambda x: operator.baseline(operator.forward(x)))(clean)
        return units.scale * baseline.reshape(images.shape) + units.offset

    def loss(params: Params, images: Array, key: Array) -> Array:
        del key
        return supervised.loss(apply, degrade, params, images)

    def evaluate(params: Params, images: Array) -> Array:
        return supervised.loss(apply, degrade, params, images)[None]

    return Objective(loss, evaluate, ("mse",))
