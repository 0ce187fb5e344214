"""Building blocks of the ADM U-Net, numerically equal to the published code."""

import math
from typing import cast

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from mgdm_jax.networks.conv import FEW, canonical_conv
from mgdm_jax.types import Array

_ZEROS = nnx.initializers.zeros_init()


def conv(n_in: int, n_out: int, rngs: nnx.Rngs, *, size=3, stride=1, zero=False):
    """Return a padded convolution layer; `zero` starts it at zero."""
    pad = (size - 1) // 2
    # Explicit padding: "SAME" pads (0, 1) at stride 2, the checkpoints (1, 1).
    return nnx.Conv(
        n_in,
        n_out,
        (size, size),
        strides=stride,
        padding=((pad, pad), (pad, pad)),
        conv_general_dilated=canonical_conv,
        kernel_init=_ZEROS if zero else nnx.initializers.lecun_normal(),
        rngs=rngs,
    )


GROUPS = 32
"""Groups of channels that are normalised together, PyTorch's ADM's."""


class GroupNorm(nnx.Module):
    """PyTorch's GroupNorm(32, ε = 1e-5) over [b, h, w, f], in float32.

    Statistics are taken per channel first and combined into groups afterwards, which
    XLA:CPU runs 5 times faster than `nnx.GroupNorm`'s reduction over a split axis.
    """

    def __init__(self, width: int, *, n_groups: int = GROUPS, epsilon: float = 1e-5):
        self.scale = nnx.Param(jnp.ones(width))
        self.bias = nnx.Param(jnp.zeros(width))
        self.n_groups = n_groups
        self.epsilon = epsilon

    def __call__(self, x: Array) -> Array:
        """Normalise each group of channels of each image."""
        b, h, w, f = x.shape
        pixels = x.astype(jnp.float32).reshape(b, h * w, f)
        mean = self._over_groups(pixels.mean(axis=1))
        variance = self._over_groups(((pixels - mean[:, None]) ** 2).mean(axis=1))
        scale, bias = (jnp.float32(p[None]) for p in (self.scale, self.bias))
        gain = lax.rsqrt(variance + self.epsilon) * scale
        shift = bias - mean * gain
        normed = pixels * gain[:, None] + shift[:, None]
        return normed.reshape(x.shape).astype(x.dtype)

    def _over_groups(self, statistic: Array) -> Array:
        """Average a statistic [b, f] over each group, repeated to [b, f]."""
        b, f = statistic.shape
        groups = statistic.reshape(b, self.n_groups, -1)
        mean = groups.mean(axis=-1, keepdims=True)
        return jnp.broadcast_to(mean, groups.shape).reshape(b, f)


@jax.custom_vjp
def silu(x: Array) -> Array:
    """Return x · sigmoid(x), keeping its derivative for the backward products.

    XLA would otherwise recompute the exponential in each of the two that a guided step
    takes. Without a backward product the derivative is never computed.
    """
    return x * jax.nn.sigmoid(x)


def _silu_fwd(x: Array) -> tuple[Array, Array]:
    gate = jax.nn.sigmoid(x)
    slope = gate * (1.0 + x * (1.0 - gate))
    return x * gate, lax.optimization_barrier(slope)


def _silu_bwd(slope: Array, cotangent: Array) -> tuple[Array]:
    return (cotangent * slope,)


silu.defvjp(_silu_fwd, _silu_bwd)


def timestep_embedding(t: Array, width: int) -> Array:
    """Return [b, width]: cosines, then sines, of t at geometric frequencies."""
    half = width // 2
    frequencies = jnp.exp(-math.log(1e4) * jnp.arange(half, dtype=jnp.float32) / half)
    angles = t.astype(jnp.float32)[:, None] * frequencies[None]
    return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1)


def pixel_unshuffle(x: Array, patch: int) -> Array:
    """Fold patch × patch pixels into channels: [b, h, w, c] -> [b, h/p, w/p, c·p²]."""
    if patch == 1:
        return x
    b, h, w, c = x.shape
    x = x.reshape(b, h // patch, patch, w // patch, patch, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(b, h // patch, w // patch, -1)


def pixel_shuffle(x: Array, patch: int) -> Array:
    """Undo `pixel_unshuffle`."""
    if patch == 1:
        return x
    b, h, w, c = x.shape
    x = x.reshape(b, h, w, patch, patch, c // patch**2).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, h * patch, w * patch, -1)


def average_pool(x: Array) -> Array:
    """Average 2 × 2 pixels."""
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4))


def nearest_upsample(x: Array) -> Array:
    """Repeat each pixel 2 × 2 times."""
    b, h, w, c = x.shape
    x = jnp.broadcast_to(x[:, :, None, :, None, :], (b, h, 2, w, 2, c))
    return x.reshape(b, 2 * h, 2 * w, c)


def upsampled_conv(layer: nnx.Conv, x: Array) -> Array:
    """Return `layer(nearest_upsample(x))` of a 3 × 3 layer for 4/9 of its products.

    Nine taps meet four different pixels only: each of the even and odd rows and columns
    is a 2 × 2 convolution of summed taps.
    """
    b, h, w, _ = x.shape
    if 4 * h * w <= FEW:  # the sums would cost more than they save
        return layer(nearest_upsample(x))
    rows = [
        jnp.stack(
            [
                canonical_conv(x, taps.swapaxes(0, 1), (1, 1), ((1 - i, i), (1 - j, j)))
                for j, taps in enumerate(_halves(across.swapaxes(0, 1)))
            ],
            axis=3,
        )
        for i, across in enumerate(_halves(layer.kernel[...]))
    ]
    whole = jnp.stack(rows, axis=2).reshape(b, 2 * h, 2 * w, -1)
    return whole + cast(nnx.Param, layer.bias)[...].reshape(1, 1, 1, -1)


def _halves(taps: Array) -> tuple[Array, Array]:
    """Return two sums of three taps for the even pixels, and two for the odd ones."""
    first, middle, last = taps[0], taps[1], taps[2]
    return jnp.stack((first, middle + last)), jnp.stack((first + middle, last))


class Resample(nnx.Module):
    """A convolution that halves, or follows a doubling of, the image size."""

    def __init__(self, width: int, direction: str, *, rngs: nnx.Rngs):
        self.direction = direction
        self.conv = conv(width, width, rngs, stride=2 if direction == "down" else 1)

    def __call__(self, x: Array) -> Array:
        """Resample [b, h, w, f]."""
        return upsampled_conv(self.conv, x) if self.direction == "up" else self.conv(x)


class ResBlock(nnx.Module):
    """Residual block conditioned on the time embedding, optionally resampling."""

    def __init__(
        self,
        n_in: int,
        n_out: int,
        n_embed: int,
        *,
        scale_shift: bool,
        resample: str | None,
        rngs: nnx.Rngs,
    ):
        self.scale_shift = scale_shift
        self.resample = resample
        self.in_norm = GroupNorm(n_in)
        self.in_conv = conv(n_in, n_out, rngs)
        n_embed_out = 2 * n_out if scale_shift else n_out
        self.embed = nnx.Linear(n_embed, n_embed_out, rngs=rngs)
        self.out_norm = GroupNorm(n_out)
        self.out_conv = conv(n_out, n_out, rngs, zero=True)
        self.skip = conv(n_in, n_out, rngs, size=1) if n_in != n_out else None

    def __call__(self, x: Array, embedding: Array) -> Array:
        """Map x [b, h, w, n_in], embedding [b, n_embed] to [b, h', w', n_out]."""
        hidden = silu(self.in_norm(x))
        match self.resample:
            case "down":
                hidden, x = self.in_conv(average_pool(hidden)), average_pool(x)
            case "up":
                hidden, x = upsampled_conv(self.in_conv, hidden), nearest_upsample(x)
            case _:
                hidden = self.in_conv(hidden)
        modulation = self.embed(silu(embedding))[:, None, None, :]
        if self.scale_shift:
            scale, shift = jnp.split(modulation, 2, axis=-1)
            hidden = self.out_norm(hidden) * (1.0 + scale) + shift
        else:
            hidden = self.out_norm(hidden + modulation)
        hidden = self.out_conv(silu(hidden))
        return hidden + (x if self.skip is None else self.skip(x))


class Attention(nnx.Module):
    """Multi-head self-attention over all pixels."""

    def __init__(self, width: int, n_heads: int, *, new_order: bool, rngs: nnx.Rngs):
        self.n_heads = n_heads
        self.new_order = new_order
        self.norm = GroupNorm(width)
        self.qkv = nnx.Linear(width, 3 * width, rngs=rngs)
        self.proj_out = nnx.Linear(width, width, kernel_init=_ZEROS, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Map [b, h, w, f] to [b, h, w, f]."""
        b, h, w, f = x.shape
        qkv = self.qkv(self.norm(x).reshape(b, h * w, f))
        q, k, v = self._split_heads(qkv)
        scale = (f // self.n_heads) ** -0.25
        logits = jnp.einsum("bqnd,bknd->bnqk", q * scale, k * scale)
        weights = jax.nn.softmax(logits.astype(jnp.float32), axis=-1).astype(x.dtype)
        mixed = jnp.einsum("bnqk,bknd->bqnd", weights, v).reshape(b, h * w, f)
        return x + self.proj_out(mixed).reshape(b, h, w, f)

    def _split_heads(self, qkv: Array) -> tuple[Array, Array, Array]:
        b, n, _ = qkv.shape
        if self.new_order:  # channels are [q, k, v][head][channel]
            q, k, v = jnp.split(qkv.reshape(b, n, 3 * self.n_heads, -1), 3, axis=2)
            return q, k, v
        heads = qkv.reshape(b, n, self.n_heads, -1)  # [head][q, k, v][channel]
        q, k, v = jnp.split(heads, 3, axis=-1)
        return q, k, v
