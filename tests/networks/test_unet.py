"""The U-Net against published sizes and dense references of its parts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers import normal

from mgdm_jax.networks import layers, unet
from mgdm_jax.training import defaults


def test_small_preset_maps_images_to_images():
    fields = defaults.prior_training().network.to_dict()
    config = unet.UNetConfig.from_fields(fields)
    x = jax.ShapeDtypeStruct((2, 120, 120, 1), jnp.float32)
    t = jax.ShapeDtypeStruct((2,), jnp.int32)
    y = jax.eval_shape(unet.make_apply(config), unet.abstract_params(config), x, t)
    assert y.shape == x.shape and y.dtype == jnp.float32


def test_sizes_that_do_not_divide_are_refused_by_name():
    with pytest.raises(ValueError, match=r"image_size 250 must be a multiple of 32"):
        unet.UNetConfig(250, 1, 1, 32, (1, 1, 2, 2, 4, 4), 1)


def normalised(x):
    """PyTorch's GroupNorm(32) without its affine part, x [b, h, w, 32 k], float64."""
    b, h, w, f = x.shape
    groups = np.float64(x).reshape(b, h * w, 32, f // 32)
    mean = groups.mean((1, 3), keepdims=True)
    variance = groups.var((1, 3), keepdims=True)
    return ((groups - mean) / np.sqrt(variance + 1e-5)).reshape(x.shape)


def test_group_norm_is_pytorch_s(key):
    x = 3.0 + 2.0 * normal(key, (2, 4, 5, 64))
    norm = layers.GroupNorm(64)
    norm.scale[...] = jnp.linspace(0.5, 2.0, 64)
    norm.bias[...] = jnp.linspace(-1.0, 1.0, 64)
    want = normalised(x)
    want = want * np.linspace(0.5, 2.0, 64) + np.linspace(-1.0, 1.0, 64)
    np.testing.assert_allclose(norm(x), want, atol=1e-5)


RESAMPLE = {
    None: lambda x: x,
    "down": lambda x: (
        (x[:, ::2] + x[:, 1::2])[:, :, ::2] / 4
        + (x[:, ::2] + x[:, 1::2])[:, :, 1::2] / 4
    ),
    "up": lambda x: x.repeat(2, 1).repeat(2, 2),
}


@pytest.mark.parametrize("direction", RESAMPLE)
def test_residual_block(direction, key):
    """Scale comes before shift; body and skip are resampled alike."""
    block = layers.ResBlock(
        32, 32, 8, scale_shift=True, resample=direction, rngs=nnx.Rngs(0)
    )
    identity = jnp.zeros((3, 3, 32, 32)).at[1, 1].set(jnp.eye(32))
    block.in_conv.kernel[...] = block.out_conv.kernel[...] = identity
    x, embedding = (
        normal(key, (2, 4, 6, 32)),
        normal(jax.random.fold_in(key, 1), (2, 8)),
    )

    def silu(x):
        return x / (1 + np.exp(-x))

    modulation = silu(np.float64(embedding)) @ np.float64(block.embed.kernel[...])
    scale, shift = modulation[:, None, None, :32], modulation[:, None, None, 32:]
    body = normalised(RESAMPLE[direction](silu(normalised(x))))
    want = RESAMPLE[direction](np.float64(x)) + silu(body * (1 + scale) + shift)
    np.testing.assert_allclose(block(x, embedding), want, atol=2e-5)


def test_silu_keeps_value_and_two_derivatives(key):
    x = 3.0 * normal(key, (50,))

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
    x = normal(key, (2, 6, 4, 3))
    folded = layers.pixel_unshuffle(x, 2)
    assert folded.shape == (2, 3, 2, 12)
    np.testing.assert_array_equal(layers.pixel_shuffle(folded, 2), x)


@pytest.mark.parametrize("field", ["n_heads", "n_head_channels"])
def test_heads_must_divide_the_levels_with_attention_alone(field):
    """Of 32, 96 and 128 channels the last makes heads of 64, the middle none."""
    size, mult = 32, (1, 3, 4)
    fits = {"n_heads": 4, "n_head_channels": 64}[field]
    not_ours = {"n_heads": 5, "n_head_channels": 48}[field]
    last = unet.UNetConfig(size, 1, 1, 32, mult, 1, (8,), **{field: fits})
    assert last.attends(2) and not last.attends(1)
    for at, value in (((8,), not_ours), ((), not_ours), ((16,), 7)):
        with pytest.raises(ValueError, match=rf"{field} {value} does not divide"):
            unet.UNetConfig(size, 1, 1, 32, mult, 1, at, **{field: value})
    if field == "n_head_channels":
        with pytest.raises(ValueError, match="64 does not divide the 96"):
            unet.UNetConfig(size, 1, 1, 32, mult, 1, (16,), n_head_channels=64)


@pytest.mark.parametrize("new_order", [False, True])
def test_attention_orders(new_order, key):
    """Dense reference with the published channel orders of q, k and v."""
    width, heads = 64, 2
    block = layers.Attention(width, heads, new_order=new_order, rngs=nnx.Rngs(0))
    block.proj_out.kernel[...] = jnp.eye(width)
    x = normal(key, (1, 2, 3, width))
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


def test_widths_are_whole_where_factors_are_not():
    """480 channels of 352 are a factor whose product is 479.99…."""
    levels = {"model_channels": 352, "channel_mult": (1.0, 480 / 352)}
    config = unet.UNetConfig(32, 1, 1, n_res_blocks=1, n_head_channels=32, **levels)
    assert config.widths == (352, 480)
