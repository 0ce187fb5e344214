"""A network in bfloat16: what is rounded, what is not, and by how much."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from helpers import normal

from mgdm_jax import factory, priors
from mgdm_jax.networks import unet

LEVEL, TIME = jnp.float32(0.6), jnp.int32(400)


def facts() -> priors.PriorSpec:
    """Two levels, so that there is all that a network has: resampling, attention."""
    levels = {"patch": 2, "channel_mult": (1.0, 1.0), "attention_resolutions": (16,)}
    usual = tiny.spec(32)
    return dataclasses.replace(usual, network=usual.network | levels)


def weights() -> dict:
    """Random ones: an untrained network begins at v = 0."""
    shapes = unet.abstract_params(unet.UNetConfig.from_fields(facts().network))
    draw = np.random.default_rng(0).standard_normal
    return jax.tree.map(lambda s: jnp.float32(0.2 * draw(s.shape)), shapes)


def estimate(dtype: str):
    """Return the prior, and the estimate of an image by its mean and its pullback."""
    prior = factory.build_prior(facts(), weights(), dtype=dtype)

    def both(x):
        x0_hat, pullback = jax.vjp(
            lambda x: prior.denoise(prior.params, x, TIME, LEVEL).x0_hat, x
        )
        return x0_hat, pullback(jnp.ones_like(x0_hat))[0]

    return prior, both


def test_bfloat16_is_near_float32_and_comes_back_as_float32(key):
    x = normal(key, (32, 32))
    exact = jax.jit(estimate("float32")[1])(x)
    for got, want in zip(jax.jit(estimate("bfloat16")[1])(x), exact, strict=True):
        assert got.dtype == jnp.float32
        off = jnp.linalg.norm(got - want) / jnp.linalg.norm(want)
        assert 1e-5 < off < 0.1


def test_weights_and_convolutions_are_in_bfloat16(key):
    prior, both = estimate("bfloat16")
    assert {w.dtype for w in jax.tree.leaves(prior.params)} == {jnp.dtype("bfloat16")}
    text = jax.jit(both).lower(normal(key, (32, 32))).as_text()
    convolutions = [row for row in text.splitlines() if "convolution(" in row]
    assert len(convolutions) > 20
    assert not [row for row in convolutions if "xf32>" in row.split(":")[-1]]


def test_shapes_stand_in_for_weights_of_either_dtype():
    for dtype in ("float32", "bfloat16"):
        prior = factory.build_prior(facts(), dtype=dtype)
        assert {w.dtype for w in jax.tree.leaves(prior.params)} == {jnp.dtype(dtype)}


def test_another_dtype_is_refused_by_name():
    with pytest.raises(ValueError, match=r"prior\.dtype must be float32 or bfloat16"):
        factory.build_prior(facts(), dtype="float16")
