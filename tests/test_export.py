"""The compiled sampler lowers for GPU and TPU, and keeps physics at full precision."""

import math

import jax
import jax.numpy as jnp
import operator_cases
import pytest
import tiny

from mgdm_jax import analytic, factory, schedules
from mgdm_jax.networks import unet
from mgdm_jax.samplers import mgdm
from mgdm_jax.types import Guidance, Problem

OPERATORS = {
    "real": (lambda: operator_cases.real_fourier((16, 16)), lambda _: None),
    "multi_coil": (
        lambda: operator_cases.multi_coil((16, 16)),
        lambda operator: operator.row_vectors,
    ),
    "ct": (lambda: operator_cases.ct(16), lambda operator: operator.dual_vectors),
    "harmonics": (
        lambda: operator_cases.harmonics(16),
        lambda operator: operator.harmonics.vectors,
    ),
}
"""Operator, and the eigenvectors it works with."""


def network_prior():
    facts = tiny.spec(16)
    network = unet.UNetConfig.from_fields(facts.network)
    return factory.build_prior(facts, unet.initialise(network, jax.random.key(0)))


def white_prior(shape):
    """Return one that lowers in less time than a network."""
    n = math.prod(shape)
    return factory.Prior(
        denoise=analytic.gaussian_denoiser,
        params=analytic.Gaussian(jnp.zeros(shape), jnp.ones(n), jnp.eye(n)),
        alpha_bar=schedules.discrete_vp("linear"),
        image_shape=shape,
        noise_scale=1.0,
        centre=0.0,
    )


def exported(operator, prior, platforms):
    sampler = factory.make_sampler(prior, mgdm.make_step(), prior.grid(3))
    y = operator.forward(jnp.ones(operator.image_shape))
    problem = Problem(operator, jnp.stack([y, y]), jnp.float32(0))
    guidance = Guidance(*(jnp.ones(3) for _ in range(4)))
    axes = Problem(None, 0, None)
    over_images = jax.vmap(sampler, in_axes=(0, None, axes, None))
    over_both = jax.vmap(over_images, in_axes=(None, None, None, 0))
    keys = jax.random.key_data(jax.random.split(jax.random.key(0), 2))

    def run(keys, params, problem, guidance):
        return over_both(jax.random.wrap_key_data(keys), params, problem, guidance)

    return jax.export.export(jax.jit(run), platforms=platforms)(
        keys, prior.params, problem, guidance
    )


@pytest.mark.parametrize("name", OPERATORS)
def test_lowers_for_gpu_and_tpu(name):
    """bfloat16 or TF32 products with the vectors would ruin the proximal step."""
    make, vectors_of = OPERATORS[name]
    operator = make()
    shape = operator.image_shape
    prior = network_prior() if name == "real" else white_prior(shape)
    program = exported(operator, prior, ["cuda", "tpu"])
    module, vectors = program.mlir_module(), vectors_of(operator)
    assert set(program.platforms) == {"cuda", "tpu"}
    assert program.out_avals[0].shape[:2] == (3, 2)
    assert "callback" not in module
    if vectors is None:
        return
    kind = "complex<f32>" if jnp.iscomplexobj(vectors) else "f32"
    shape = "x".join(map(str, vectors.shape))
    products = [
        line
        for line in module.splitlines()
        if "dot_general" in line and f"{shape}x{kind}" in line
    ]
    assert products
    assert all("HIGHEST" in line for line in products)
