"""A training step on one device and on all of them, alternating; the least counts.

JAX_NUM_CPU_DEVICES=2 python -m experiments.benchmarks.train_step
"""

import jax
import numpy as np
from absl import app, flags

from experiments.benchmarks.timing import each, header, spread
from mgdm_jax import train
from mgdm_jax.training.defaults import prior_training

_ROUNDS = flags.DEFINE_integer("rounds", 5, "Alternating rounds.")
_TINY = flags.DEFINE_bool("tiny", False, "A tiny network: checks that it runs.")


def stepper(devices: list):
    """Return a call that takes one training step of the shipped prior's size."""
    config = prior_training()
    config.init = ""
    if _TINY.value:
        config.network.channel_mult = (1.0, 1.0)
        config.train.batch_size = 2 * len(jax.devices())
    run = train.build(config, devices)
    size = config.network.image_size
    batch = config.train.batch_size
    images = run.place(np.full((batch, size, size, 1), 0.5, np.float32))
    state = run.state

    def call():
        nonlocal state
        state, loss = run.train_step(state, images)
        return loss

    return call


def main(argv: list[str]) -> None:
    """Print both times and their ratio."""
    del argv
    devices = jax.devices()
    seconds = each(_ROUNDS.value, stepper(devices[:1]), stepper(devices))
    (one, every), spreads = map(min, seconds), map(spread, seconds)
    print(header())
    print(f"1 device {one:.2f}s  {len(devices)} devices {every:.2f}s", end=" ")
    print(f"spread={max(spreads):.2f} ratio={one / every:.2f}")


if __name__ == "__main__":
    app.run(main)
