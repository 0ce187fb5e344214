"""The U-Net against published sizes and dense references of its parts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mgdm_jax import defaults
from mgdm_jax.networks import layers, presets, unet

# Published checkpoints: name -> tensors, parameters.
PUBLISHED = {
    "ffhq_10m": (362, 93_563_910),
    "openai_256": (566, 552_814_086),
    "openai_256_conditional": (567, 553_838_086),
    "aapm_256": (362, 374_022_658),
    "fastmri_knee_320": (344, 361_428_228),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_have_their_parameters(name):
    leaves = jax.tree.leaves(unet.abstract_params(presets.preset(name)))
    assert (len(leaves), sum(leaf.size for leaf in leaves)) == PUBLISHED[name]


def test_unknown_preset_lists_the_known():
    with pytest.raises(ValueError, match="ffhq_10m"):
        presets.preset("imagenet")


def attention_blocks(params):
    return {
        (part, int(block))
        for part in ("input_blocks", "output_blocks")
        for block, layers_ in params[part].items()
        for layer in layers_.values()
        if "qkv" in layer
    }


def test_attention_sits_where_the_published_code_puts_it():
    """For 320 and "16" the factor is 20, which no level has."""
    knee = unet.abstract_params(presets.preset("fastmri_knee_320"))
    assert attention_blocks(knee) == set()
    assert "qkv" in knee["middle_block"][1]
    ffhq = unet.abstract_params(presets.preset("ffhq_10m"))
    want = {("input_blocks", 9), ("output_blocks", 2), ("output_blocks", 3)}
    assert attention_blocks(ffhq) == want


def test_small_preset_maps_images_to_images(key):
    config = unet.UNetConfig.from_fields(
        defaults.shorten(defaults.prior_training()).network.to_dict()
    )
    params = unet.initialise(config, key)
    x = jax.random.normal(key, (2, 120, 120, 1))
    y = jax.jit(unet.make_apply(config))(params, x, jnp.array([3, 900]))
    assert y.shape == x.shape and y.dtype == jnp.float32
    np.testing.assert_array_equal(y, 0)  # the last layer starts at zero


def test_sizes_that_do_not_divide_are_refused_by_name():
    with pytest.raises(ValueError, match=r"image_size 250 must be a multiple of 32"):
        unet.UNetConfig(250, 1, 1, 32, (1, 1, 2, 2, 4, 4), 1)


def test_group_norm_is_pytorch_s(key):
    x = 3.0 + 2.0 * jax.random.normal(key, (2, 4, 5, 64))
    norm = layers.GroupNorm(64)
    norm.scale[...] = jnp.linspace(0.5, 2.0, 64)
    norm.bias[...] = jnp.linspace(-1.0, 1.0, 64)
    groups = np.float64(x).reshape(2, 20, 32, 2)
    mean = groups.mean((1, 3), keepdims=True)
    variance = groups.var((1, 3), keepdims=True)
    want = ((groups - mean) / np.sqrt(variance + 1e-5)).reshape(x.shape)
    want = want * np.linspace(0.5, 2.0, 64) + np.linspace(-1.0, 1.0, 64)
    np.testing.assert_allclose(norm(x), want, atol=1e-5)


def test_silu_keeps_value_and_two_derivatives(key):
    x = 3.0 * jax.random.normal(key, (50,))

    def derivatives(fn):
        first = jax.grad(lambda v: jnp.sum(fn(v)))
        second = jax.grad(lambda v: jnp.sum(first(v) ** 2))
        return fn(x), first(x), second(x)

    for got, want in zip(
        derivatives(layers.silu), derivatives(jax.nn.silu), strict=True
    ):
        np.testing.assert_allclose(got, want, atol=1e-6)


def test_timestep_embedding_is_cosines_then_sines():
    got = layers.timestep_embedding(jnp.array([7]), 8)[0]
    angles = 7 * np.exp(-np.log(1e4) * np.arange(4) / 4)
    np.testing.assert_allclose(got, [*np.cos(angles), *np.sin(angles)], atol=1e-6)


def test_pixel_shuffle_undoes_unshuffle(key):
    x = jax.random.normal(key, (2, 6, 4, 3))
    folded = layers.pixel_unshuffle(x, 2)
    assert folded.shape == (2, 3, 2, 12)
    np.testing.assert_array_equal(layers.pixel_shuffle(folded, 2), x)


@pytest.mark.parametrize("new_order", [False, True])
def test_attention_orders(new_order, key):
    """Dense reference with the published channel orders of q, k and v."""
    width, heads = 64, 2
    block = layers.Attention(width, heads, new_order=new_order, rngs=nnx.Rngs(0))
    block.proj_out.kernel[...] = jnp.eye(width)
    x = jax.random.normal(key, (1, 2, 3, width))
    flat = np.float64(block.norm(x)).reshape(6, width)
    qkv = flat @ np.float64(block.qkv.kernel[...]) + np.float64(block.qkv.bias[...])
    size = width // heads
    mixed = np.zeros((6, width))
    for head in range(heads):
        if new_order:
            starts = [part * width + head * size for part in range(3)]
        else:
            starts = [(3 * head + part) * size for part in range(3)]
        q, k, v = (qkv[:, start : start + size] for start in starts)
        logits = q @ k.T / np.sqrt(size)
        weights = np.exp(logits - logits.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        mixed[:, head * size : (head + 1) * size] = weights @ v
    want = np.float64(x) + mixed.reshape(x.shape)
    np.testing.assert_allclose(block(x), want, atol=1e-4)
