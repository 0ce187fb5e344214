"""What a step of the paper's scale takes here: what `paper_cost` only estimates.

Of the `:paper` configurations named, the ADM network with random weights: a sampler of
one pass forward and two products with Jᵀ a step, MRI at 4x, so many images at once.
Prints milliseconds a step and image, the hours that 1,000 images would take at that,
and XLA's account of the memory that the program works in.

    python -m experiments.benchmarks.paper_step --batches=1,4
"""

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from configs import ct_lidc, mri_brats, mri_fastmri
from experiments import markdown
from experiments.benchmarks import untrained
from experiments.benchmarks.timing import header, least
from mgdm_jax import factory, methods, priors
from mgdm_jax.defaults import Config
from mgdm_jax.networks import unet
from mgdm_jax.types import Guidance, Problem

TASKS = {"mri_brats": mri_brats, "mri_fastmri": mri_fastmri, "ct_lidc": ct_lidc}

_TASKS = flags.DEFINE_list("tasks", ["mri_brats", "mri_fastmri"], "Networks to time.")
_BATCHES = flags.DEFINE_list("batches", ["1", "4"], "Images at once.")
_DTYPES = flags.DEFINE_list("dtypes", ["float32", "bfloat16"], "See prior.dtype.")
_STEPS = flags.DEFINE_integer("steps", 3, "Steps of the sampler timed.")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "The least counts.")
_IMAGES = flags.DEFINE_integer(
    "n_images", 1000, "Images of the whole, one sample each."
)
_TINY = flags.DEFINE_bool("tiny", False, "A tiny network: checks that it runs.")


def network_of(config: Config, dtype: str) -> factory.Prior:
    """Return the configuration's prior, untrained."""
    fields = config.prior.network.to_dict()
    if _TINY.value:
        fields |= {"image_size": 32, "channel_mult": (1, 1)}
        fields |= {"attention_resolutions": ()}
    spec = priors.PriorSpec("paper", fields, "eps", "linear", 2.0, -1.0, 0.0, 1.0, {})
    shapes = unet.abstract_params(unet.UNetConfig.from_fields(fields))
    draw = np.random.default_rng(0).standard_normal
    params = jax.tree.map(lambda s: 0.02 * draw(s.shape, np.float32), shapes)
    return factory.build_prior(spec, jax.device_put(params), dtype=dtype)


def case(config: Config, prior: factory.Prior, batch: int) -> tuple[float, float]:
    """Return seconds a step and image, and GB that the program works in."""
    operator = untrained.operator(prior)
    images = jax.random.uniform(jax.random.key(1), (batch, *prior.image_shape))
    axes = Problem(None, 0, None)  # type: ignore[arg-type]
    problem = Problem(operator, jax.vmap(operator.forward)(images), jnp.float32(0))
    step, grid = methods.make_step(config), prior.grid(_STEPS.value)
    sampler = factory.make_sampler(prior, step, grid)
    given = (
        jax.random.split(jax.random.key(2), batch),
        prior.params,
        problem,
        Guidance.of(zeta=0.5, lam=0.01, rho=0.01, eta=0.85),
    )
    batched = jax.jit(jax.vmap(sampler, in_axes=(0, None, axes, None)))
    compiled = batched.lower(*given).compile()
    (seconds,) = least(_ROUNDS.value, lambda: compiled(*given))
    account = compiled.memory_analysis()
    memory = account.temp_size_in_bytes / 1e9 if account else float("nan")
    return seconds / _STEPS.value / batch, memory


def main(argv: list[str]) -> None:
    """Print a row a network, dtype and batch."""
    del argv
    print(header())
    names = ["network", "dtype", "batch", "ms a step and image"]
    print(markdown.head([*names, "whole / h", "works in / GB"]))
    for name in _TASKS.value:
        config = TASKS[name].get_config("paper")
        for dtype in _DTYPES.value:
            prior = network_of(config, dtype)
            for batch in map(int, _BATCHES.value):
                seconds, memory = case(config, prior, batch)
                hours = seconds * config.sampler.n_steps * _IMAGES.value / 3600
                what = f"{name}, {prior.image_shape[0]} px"
                what += f", {config.sampler.n_steps} steps"
                found = (f"{1e3 * seconds:.1f}", f"{hours:.2f}", f"{memory:.2f}")
                print(markdown.row([what, dtype, batch, *found]), flush=True)


if __name__ == "__main__":
    app.run(main)
