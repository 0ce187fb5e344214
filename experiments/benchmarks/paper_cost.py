"""What the paper's 1,000 images cost by arithmetic: an estimate, nothing is executed.

Of each `:paper` configuration, XLA's own count of one network forward and of one guided
step (a sampler of one time: one pass forward, two products with Jᵀ, the operator), per
image. With `--compiled` of the program that XLA's CPU compiler makes, in minutes each;
else of the program before, whose operations are the same and whose bytes are those of
every intermediate written and read. Then, for devices whose peaks and their sources are
in `DEVICES`, the time of all operations, that of all bytes, and the larger of the two
divided by the share of it that is assumed to be reached.

    python -m experiments.benchmarks.paper_cost --compiled
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from absl import app, flags

from configs import ct_lidc, mri_brats, mri_fastmri
from experiments.benchmarks.paper_shapes import abstract, problem_of
from mgdm_jax import factory, methods, priors
from mgdm_jax.defaults import Config
from mgdm_jax.types import Guidance


class Device(NamedTuple):
    """Peak of one device, and how many of them."""

    flops: float
    bytes_per_s: float
    n: int = 1


DEVICES = {
    # cloud.google.com/tpu/docs/v5e: 197 TFLOP/s bf16, 819 GB/s a chip
    "TPU v5e": Device(197e12, 819e9),
    # nvidia.com/en-us/data-center/h100, SXM: 989 TFLOP/s TF32 with sparsity, half of it
    # dense; 3.35 TB/s
    "H100": Device(494e12, 3.35e12),
    "v5e-256": Device(197e12, 819e9, 256),
}
"""Peaks of float32 products at XLA's default precision: bf16 on TPUs, TF32 on GPUs."""

TASKS = (mri_brats, mri_fastmri, ct_lidc)

_IMAGES = flags.DEFINE_integer("n_images", 1000, "Images, one sample of each.")
_SHARE = flags.DEFINE_float("share", 0.5, "Of the roofline, assumed to be reached.")
_COMPILED = flags.DEFINE_bool("compiled", False, "Count after fusion; takes minutes.")
_TINY = flags.DEFINE_bool("tiny", False, "A tiny network: checks that it runs.")


class Cost(NamedTuple):
    """Operations and bytes of one image."""

    flops: float
    bytes: float


def cost(function: Any, *shapes: Any) -> Cost:
    """Return what XLA counts in a program."""
    lowered = jax.jit(function).lower(*shapes)
    program = lowered.compile() if _COMPILED.value else lowered
    found: Any = program.cost_analysis()
    return Cost(found["flops"], found["bytes accessed"])


def costs_of(config: Config) -> tuple[Cost, Cost]:
    """Return what the network's forward and one guided step cost."""
    network = config.prior.network.to_dict()
    if _TINY.value:
        network |= {"channel_mult": (1, 1), "attention_resolutions": ()}
    # Of the prior the counts depend on the network alone.
    prior = factory.build_prior(
        priors.PriorSpec("paper", network, "eps", "linear", 2.0, -1.0, 0.0, 1.0, {})
    )
    x, t, level = abstract(prior.image_shape), abstract((), jnp.int32), abstract(())
    forward = cost(
        lambda *given: prior.denoise(*given).x0_hat, prior.params, x, t, level
    )
    sampler = factory.make_sampler(prior, methods.make_step(config), prior.grid(1))
    key = jax.eval_shape(lambda: jax.random.key(0))
    numbers = Guidance(*[abstract(())] * 4)
    problem = problem_of(config, prior.image_shape)
    return forward, cost(sampler, key, prior.params, problem, numbers)


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def estimate(name: str, step: Cost, n: float) -> str:
    """Return the line of a device that takes n steps."""
    device = DEVICES[name]
    by_flops = n * step.flops / device.flops / device.n
    by_bytes = n * step.bytes / device.bytes_per_s / device.n
    expected = max(by_flops, by_bytes) / _SHARE.value
    return (
        f"  {name}: operations {duration(by_flops)}, bytes {duration(by_bytes)}, "
        f"expected {duration(expected)}"
    )


def main(argv: list[str]) -> None:
    """Print a line a task and device."""
    del argv
    for task in TASKS:
        config = task.get_config("paper")
        forward, step = costs_of(config)
        n = _IMAGES.value * config.sampler.n_steps
        print(
            f"{config.name}, an image: forward {forward.flops / 1e9:.0f} GFLOP, "
            f"{forward.bytes / 1e9:.1f} GB; step {step.flops / 1e9:.0f} GFLOP, "
            f"{step.bytes / 1e9:.1f} GB; {_IMAGES.value} images of "
            f"{config.sampler.n_steps} steps: {n * step.flops / 1e15:.0f} PFLOP"
        )
        print("\n".join(estimate(name, step, n) for name in DEVICES), flush=True)


if __name__ == "__main__":
    app.run(main)
