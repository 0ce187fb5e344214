"""The canonical convolution: equal to XLA's, and in its fast form inside a loop."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import operator_cases
import pytest
import tiny
from helpers import normal
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from mgdm_jax import factory
from mgdm_jax.networks import layers, unet
from mgdm_jax.networks.conv import canonical_conv
from mgdm_jax.samplers import mgdm
from mgdm_jax.types import Guidance, Problem

CASES = {
    "3x3": (9, 3, 1, 1),
    "1x1": (9, 1, 1, 0),
    "strided_even": (8, 3, 2, 1),
    "strided_odd": (7, 3, 2, 1),
    "no_padding": (11, 3, 1, 0),
    "few_3x3": (7, 3, 1, 1),
    "few_1x1": (6, 1, 1, 0),
    "few_no_padding": (6, 3, 1, 0),
    "fewest": (1, 3, 1, 1),
}


def plain(x, w, stride, pad):
    return lax.conv_general_dilated(
        x,
        w,
        (stride, stride),
        ((pad, pad), (pad, pad)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def ours(x, w, stride, pad):
    return canonical_conv(x, w, (stride, stride), ((pad, pad), (pad, pad)))


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request, key):
    size, kernel, stride, pad = request.param
    x = normal(key, (2, size, size + 1, 3))
    w = normal(jax.random.fold_in(key, 1), (kernel, kernel, 3, 4))
    return x, w, stride, pad


def test_value_and_gradients(case):
    x, w, stride, pad = case

    def both(conv):
        y, pullback = jax.vjp(lambda x, w: conv(x, w, stride, pad), x, w)
        return y, *pullback(jnp.cos(y))

    outcomes = jax.jit(lambda: (both(ours), both(plain)))()
    for got, want in zip(*outcomes, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_second_derivatives(case):
    """The discrepancy gradient through the inner one differentiates a pullback."""
    x, w, stride, pad = case

    def squared_gradient(conv, x):
        def energy(x):
            return jnp.sum(jnp.tanh(conv(x, w, stride, pad)))

        return jnp.sum(jax.grad(energy)(x) ** 2)

    got, want = (
        jax.jit(jax.grad(functools.partial(squared_gradient, conv)))(x)
        for conv in (ours, plain)
    )
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_under_vmap(case):
    x, w, stride, pad = case
    got = jax.jit(jax.vmap(lambda v: ours(v[None], w, stride, pad)[0]))(x)
    want = jax.jit(lambda: plain(x, w, stride, pad))()
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_gradient_under_two_vmaps_of_a_device(case):
    """Hyperparameters by images by devices: what a sweep does."""
    x, w, stride, pad = case
    mesh = Mesh(np.asarray(jax.devices()[:1]), ("batch",))

    def table(conv):
        def energy(v, w, factor):
            return jnp.sum(jnp.sin(factor * conv(v[None], w, stride, pad)))

        images = jax.vmap(jax.grad(energy), in_axes=(0, None, None))
        return jax.vmap(images, in_axes=(None, None, 0))

    factors, whole, rows = jnp.arange(1.0, 4.0), PartitionSpec(), PartitionSpec("batch")
    split = jax.shard_map(
        table(ours),
        mesh=mesh,
        in_specs=(whole, whole, rows),
        out_specs=rows,
        check_vma=False,
    )
    got, want = (jax.jit(fn)(x, w, factors) for fn in (split, table(plain)))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "option",
    [{"lhs_dilation": (2, 2)}, {"rhs_dilation": (2, 2)}, {"feature_group_count": 2}],
)
def test_groups_and_dilation_are_refused(option, key):
    x = normal(key, (1, 4, 4, 2))
    with pytest.raises(ValueError, match="neither groups nor dilation"):
        canonical_conv(x, jnp.ones((3, 3, 2, 2)), (1, 1), ((1, 1), (1, 1)), **option)


def sampler_text():
    """Return the compiled text of MGDM on two images, its network as shipped ones."""
    facts = tiny.spec(32)
    levels = {"patch": 2, "channel_mult": (1.0, 1.0), "attention_resolutions": (8,)}
    facts = dataclasses.replace(facts, network=facts.network | levels)
    params = unet.abstract_params(unet.UNetConfig.from_fields(facts.network))
    prior = factory.build_prior(facts, params)
    operator = operator_cases.real_fourier((32, 32))
    sampler = factory.make_sampler(prior, mgdm.make_step(), prior.grid(3))
    y = jnp.stack(2 * [operator.forward(jnp.ones((32, 32)))])
    keys = jax.random.split(jax.random.key(0), 2)
    problem = Problem(operator, y, jnp.float32(0))
    numbers = Guidance.of(zeta=1, lam=1, rho=1, eta=1)
    axes = Problem(None, 0, None)
    run = jax.jit(jax.vmap(sampler, in_axes=(0, None, axes, None)))
    return run.lower(keys, params, problem, numbers).compile().as_text()


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="a layout of XLA:CPU")
def test_no_slow_layout_inside_a_sampler(monkeypatch):
    """The plain convolution must show the layout, or this test proved nothing."""
    # A network that was built before keeps the convolution it was built with.
    monkeypatch.setattr(unet, "_abstract", unet._abstract.__wrapped__)
    assert "01oi" not in sampler_text()
    monkeypatch.setattr(layers, "canonical_conv", lax.conv_general_dilated)
    monkeypatch.setattr(layers, "FEW", np.inf)  # upsample, then convolve
    assert "01oi" in sampler_text()


@pytest.mark.parametrize(("size", "n_convolutions"), [(8, 0), (9, 1)])
def test_maps_of_a_few_pixels_are_products_of_matrices(size, n_convolutions):
    image = jax.ShapeDtypeStruct((2, size, size, 3), jnp.float32)
    kernel = jax.ShapeDtypeStruct((3, 3, 3, 4), jnp.float32)
    text = jax.jit(lambda x, w: ours(x, w, 1, 1)).lower(image, kernel).as_text()
    assert text.count("stablehlo.convolution") == n_convolutions
