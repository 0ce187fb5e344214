"""The network of `configs/supervised`, its images projected onto the data."""

import copy

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import factory, priors
from mgdm_jax.defaults import Config
from mgdm_jax.guidance import proximal
from mgdm_jax.networks import unet
from mgdm_jax.training import supervised
from mgdm_jax.types import Array, Problem


def reconstruct(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Return references and reconstructions [n, …image], operator units.

    The projection x + A†(y - A x) can only bring a noiseless reconstruction nearer.

    Args:
      config: `prior.path` names the network's file; the task is the one to test on,
        whatever it was trained on.
    """
    spec, params = priors.load(config.prior.path)
    if spec.prediction != "image":
        raise ValueError(f"{config.prior.path} is a prior, no supervised network.")
    apply = unet.make_apply(unet.UNetConfig.from_fields(spec.network))
    config = copy.deepcopy(config)
    config.method = "ddnm"  # asks for a spectrum, as the projection does
    measured = factory.load_measurements(config, spec.image_shape)

    def one(params, problem: Problem) -> Array:
        baseline = problem.operator.baseline(problem.measurement)
        channels = (spec.scale * baseline + spec.offset).reshape(
            *baseline.shape[:2], -1
        )
        restored = supervised.restore(apply, params, channels[None])[0]
        image = (restored.reshape(baseline.shape) - spec.offset) / spec.scale
        return proximal.exact(problem, image, jnp.float32(0))

    problems = measured.problem(np.arange(len(measured)))
    run = jax.jit(jax.vmap(one, in_axes=(None, measured.axes)))
    images = np.asarray(run(jax.device_put(params), problems))
    region = True if measured.region is None else measured.region
    assert measured.reference is not None
    return measured.reference, np.where(region, images, 0.0)
