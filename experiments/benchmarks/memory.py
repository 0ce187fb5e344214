"""Memory of the compiled sampler: does it grow with the steps?

XLA's own account of MGDM's program for one image of the shipped architecture, MRI.
What a program returns of every step (three scalars) is told apart from what it works
in.

    python -m experiments.benchmarks.memory --steps=20,100,350
"""

import sys

import jax
import jax.numpy as jnp
from absl import app, flags

from experiments import markdown
from experiments.benchmarks import timing, untrained
from mgdm_jax import factory
from mgdm_jax.samplers import mgdm
from mgdm_jax.types import Guidance, Problem

_STEPS = flags.DEFINE_list("steps", ["20", "100", "350"], "Steps of the sampler.")
_TINY = flags.DEFINE_bool("tiny", False, "A tiny network: checks that it runs.")


def account(prior: factory.Prior, n_steps: int) -> tuple[int, int]:
    """Return bytes that the program works in, and that it returns."""
    operator = untrained.operator(prior)
    measurement = operator.forward(jnp.ones(prior.image_shape))
    problem = Problem(operator, measurement, jnp.float32(0))
    numbers = Guidance.of(zeta=0.5, lam=0.01, rho=0.01, eta=0.85)
    sampler = factory.make_sampler(prior, mgdm.make_step(), prior.grid(n_steps))
    lowered = jax.jit(sampler).lower(jax.random.key(0), prior.params, problem, numbers)
    found = lowered.compile().memory_analysis()
    if found is None:
        sys.exit(f"XLA has no account of memory on {jax.default_backend()}.")
    return found.temp_size_in_bytes, found.output_size_in_bytes


def main(argv: list[str]) -> None:
    """Print one row a number of steps."""
    del argv
    prior = untrained.prior(tiny=_TINY.value)
    print(timing.header())
    print(markdown.head(["steps", "works in / MB", "returns / MB"]))
    for n_steps in map(int, _STEPS.value):
        work, output = account(prior, n_steps)
        sizes = (f"{work / 1e6:.3f}", f"{output / 1e6:.3f}")
        print(markdown.row([n_steps, *sizes]), flush=True)


if __name__ == "__main__":
    app.run(main)
