"""What a guided step costs beyond the network's own work.

The ideal is f + k b: f the time of one forward pass of the bare network, b what one
product with Jᵀ (the gradient with respect to the image) adds to it, k the products of
the method. The guided step is a whole compiled sampler divided by its steps. All in one
process, alternating, the least of several rounds; `spread` is the largest mean ÷ least.

    python -m experiments.benchmarks.step_overhead --rounds=5
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from experiments.benchmarks import untrained
from experiments.benchmarks.timing import against_ideal, each, header, spread
from mgdm_jax import factory
from mgdm_jax.samplers import ddnm, dps, mgdm
from mgdm_jax.types import Guidance, Problem

METHODS = {"ddnm": (ddnm, 0), "dps": (dps, 1), "mgdm": (mgdm, 2)}
"""Module and number of backward products a step."""

_ROUNDS = flags.DEFINE_integer("rounds", 5, "Alternating rounds; the least counts.")
_STEPS = flags.DEFINE_integer("steps", 5, "Steps of the sampler timed.")
_BATCHES = flags.DEFINE_list("batches", ["1", "4"], "Images at once.")
_TINY = flags.DEFINE_bool("tiny", False, "A tiny network: checks that it runs.")


def bare(prior: factory.Prior, backward: bool) -> Callable:
    """Return a jitted batch of one forward pass, and of one product with Jᵀ or none."""

    def one(params, x):
        t, level = jnp.int32(500), jnp.float32(0.1)
        x0_hat, pullback = jax.vjp(
            lambda x: prior.denoise(params, x, t, level).x0_hat, x
        )
        return (x0_hat, pullback(x0_hat)) if backward else x0_hat

    return jax.jit(jax.vmap(one, in_axes=(None, 0)))


def guided(prior: factory.Prior, module, n_steps: int) -> Callable:
    """Return a jitted batch of whole samplers."""
    sampler = factory.make_sampler(prior, module.make_step(), prior.grid(n_steps))
    axes = Problem(None, 0, None)  # type: ignore[arg-type]
    return jax.jit(jax.vmap(sampler, in_axes=(0, None, axes, None)))


def case(prior: factory.Prior, name: str, batch: int) -> str:
    """Time one method at one batch size and return its line."""
    module, n_backward = METHODS[name]
    operator = untrained.operator(prior)
    images = jax.random.uniform(jax.random.key(1), (batch, *prior.image_shape))
    y = jax.vmap(operator.forward)(images)
    problem = Problem(operator, y, jnp.float32(0))
    numbers = Guidance.of(zeta=0.5, lam=0.01, rho=0.01, eta=0.85)
    keys = jax.random.split(jax.random.key(2), batch)
    forward, both = bare(prior, backward=False), bare(prior, backward=True)
    sampler = guided(prior, module, _STEPS.value)
    seconds = each(
        _ROUNDS.value,
        lambda: forward(prior.params, images),
        lambda: both(prior.params, images),
        lambda: sampler(keys, prior.params, problem, numbers),
    )
    forward_s, both_s, sampler_s = map(min, seconds)
    ideal_s = forward_s + n_backward * (both_s - forward_s)
    label = f"{name:6} batch={batch} spread={max(map(spread, seconds)):.2f}"
    return against_ideal(label, ideal_s, sampler_s / _STEPS.value)


def main(argv: list[str]) -> None:
    """Print one line a method and batch."""
    del argv
    prior = untrained.prior(tiny=_TINY.value)
    weights = sum(int(np.size(v)) for v in jax.tree.leaves(prior.params))
    print(f"network of {weights / 1e6:.2f} M weights, {header()}")
    for name in METHODS:
        for batch in _BATCHES.value:
            print(case(prior, name, int(batch)), flush=True)


if __name__ == "__main__":
    app.run(main)
