"""Convolutions of repeated pixels: as the plain ones, for half their products."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers import normal

from mgdm_jax.networks import layers


def plain(layer, x):
    return layer(layers.nearest_upsample(x))


@pytest.fixture
def layer():
    layer = layers.conv(3, 5, nnx.Rngs(0))
    assert layer.bias is not None
    layer.bias[...] = jnp.arange(5.0)
    return layer


@pytest.fixture(params=[(3, 4), (9, 6), (7, 11)], ids=str)
def image(request, key):
    return normal(key, (2, *request.param, 3))


def test_values_and_gradients(layer, image):
    graph, params = nnx.split(layer)

    def both(conv):
        def apply(params, x):
            return conv(nnx.merge(graph, params), x)

        y, pullback = jax.vjp(apply, params, image)
        return y, *jax.tree.leaves(pullback(jnp.cos(y)))

    outcomes = jax.jit(lambda: (both(layers.upsampled_conv), both(plain)))()
    for got, want in zip(*outcomes, strict=True):
        # Sums of many: their rounding is of the largest's size.
        rounding = 1e-5 + 1e-6 * float(jnp.abs(want).max())
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=rounding)


def test_second_derivatives(layer, image):
    def squared_gradient(conv, x):
        gradient = jax.grad(lambda x: jnp.sum(jnp.tanh(conv(layer, x))))(x)
        return jnp.sum(gradient**2)

    got, want = (
        jax.jit(jax.grad(functools.partial(squared_gradient, conv)))(image)
        for conv in (layers.upsampled_conv, plain)
    )
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("block", ["Resample", "ResBlock"])
def test_an_upsampling_block_takes_it(block, key, monkeypatch):
    x, embedding = normal(key, (1, 9, 9, 32)), jnp.ones((1, 4))
    if block == "Resample":
        module, inputs = layers.Resample(32, "up", rngs=nnx.Rngs(0)), (x,)
    else:
        module = layers.ResBlock(
            32, 32, 4, scale_shift=True, resample="up", rngs=nnx.Rngs(0)
        )
        module.out_conv.kernel[...] = module.in_conv.kernel[...]
        inputs = (x, embedding)

    def outcome():
        compiled = jax.jit(lambda *inputs: module(*inputs)).lower(*inputs).compile()
        return compiled(*inputs), compiled.cost_analysis()["flops"]

    got, flops = outcome()
    monkeypatch.setattr(layers, "upsampled_conv", plain)
    want, more = outcome()
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    product = 2 * 9 * 18 * 18 * 32 * 32
    assert more - flops > 0.4 * product
