"""The ADM U-Net ("guided diffusion"), and a small preset for CPUs.

Structure of Dhariwal & Nichol, "Diffusion Models Beat GANs on Image Synthesis", 2021,
https://arxiv.org/abs/2105.05233. Blocks are numbered as in the published checkpoints,
so that a converter is a renaming. `[b, h, w, f]` throughout.
"""

import functools
from typing import cast

import jax
import jax.numpy as jnp
from flax import nnx

from mgdm_jax.networks import layers
from mgdm_jax.networks.config import UNetConfig
from mgdm_jax.types import Array


class UNet(nnx.Module):
    """x_t [b, h, w, c], t [b] -> output [b, h, w, out_channels].

    Attributes mirror the published checkpoints: `time_embed`, `input_blocks`,
    `middle_block`, `output_blocks`, `out`.
    """

    def __init__(self, config: UNetConfig, *, rngs: nnx.Rngs):
        self.config = config
        embed = 4 * config.model_channels
        self.time_embed = nnx.List(
            [
                nnx.Linear(config.model_channels, embed, rngs=rngs),
                nnx.Linear(embed, embed, rngs=rngs),
            ]
        )
        if config.n_classes:
            self.label_emb = nnx.Embed(config.n_classes, embed, rngs=rngs)
        skips = self._build_encoder(rngs)
        width = config.widths[-1]
        self.middle_block = nnx.List(
            [
                self._res_block(width, width, rngs),
                self._attention(width, rngs),
                self._res_block(width, width, rngs),
            ]
        )
        self._build_decoder(skips, rngs)
        width = config.widths[0]
        pixels = config.patch**2
        self.out = nnx.List(
            [
                layers.GroupNorm(width),
                layers.conv(width, config.out_channels * pixels, rngs, zero=True),
            ]
        )

    def _res_block(self, n_in, n_out, rngs, resample=None) -> layers.ResBlock:
        return layers.ResBlock(
            n_in,
            n_out,
            4 * self.config.model_channels,
            scale_shift=self.config.scale_shift_norm,
            resample=resample,
            rngs=rngs,
        )

    def _attention(self, width, rngs) -> layers.Attention:
        config = self.config
        return layers.Attention(
            width,
            config.heads(width),
            new_order=self.config.new_attention_order,
            rngs=rngs,
        )

    def _resampler(self, width, direction, rngs) -> nnx.Module:
        if self.config.resblock_updown:
            return self._res_block(width, width, rngs, resample=direction)
        return layers.Resample(width, direction, rngs=rngs)

    def _build_encoder(self, rngs) -> list[int]:
        config = self.config
        width = config.widths[0]
        stem = layers.conv(config.in_channels * config.patch**2, width, rngs)
        blocks: list[nnx.List] = [nnx.List([stem])]
        skips = [width]
        for level, n_out in enumerate(config.widths):
            for _ in range(config.n_res_blocks):
                block: list[nnx.Module] = [self._res_block(width, n_out, rngs)]
                width = n_out
                if config.attends(level):
                    block.append(self._attention(width, rngs))
                blocks.append(nnx.List(block))
                skips.append(width)
            if level < len(config.widths) - 1:
                blocks.append(nnx.List([self._resampler(width, "down", rngs)]))
                skips.append(width)
        self.input_blocks = nnx.List(blocks)
        return skips

    def _build_decoder(self, skips: list[int], rngs) -> None:
        config = self.config
        width = config.widths[-1]
        blocks: list[nnx.List] = []
        for level in reversed(range(len(config.widths))):
            n_out = config.widths[level]
            for index in range(config.n_res_blocks + 1):
                n_in = width + skips.pop()
                block: list[nnx.Module] = [self._res_block(n_in, n_out, rngs)]
                width = n_out
                if config.attends(level):
                    block.append(self._attention(width, rngs))
                if level and index == config.n_res_blocks:
                    block.append(self._resampler(width, "up", rngs))
                blocks.append(nnx.List(block))
        self.output_blocks = nnx.List(blocks)

    def __call__(self, x: Array, t: Array, label: Array | None = None) -> Array:
        """Return the network's output for noisy images at times t (and labels)."""
        if label is None and self.config.n_classes:
            raise ValueError("a class-conditional network wants labels, got none.")
        embedding = layers.timestep_embedding(t, self.config.model_channels)
        embedding = embedding.astype(x.dtype)
        embedding = self.time_embed[1](layers.silu(self.time_embed[0](embedding)))
        if label is not None:
            embedding = embedding + self.label_emb(label)
        hidden = layers.pixel_unshuffle(x, self.config.patch)
        skips = []
        for block in self.input_blocks:
            hidden = _apply(block, hidden, embedding)
            skips.append(hidden)
        hidden = _apply(self.middle_block, hidden, embedding)
        for block in self.output_blocks:
            joined = jnp.concatenate([hidden, skips.pop()], axis=-1)
            hidden = _apply(block, joined, embedding)
        hidden = self.out[1](layers.silu(self.out[0](hidden)))
        return layers.pixel_shuffle(hidden, self.config.patch)


def _apply(block: nnx.List, hidden: Array, embedding: Array) -> Array:
    for layer in block:
        if isinstance(layer, layers.ResBlock):
            hidden = layer(hidden, embedding)
        else:
            hidden = layer(hidden)
    return hidden


def initialise(config: UNetConfig, key: Array) -> dict:
    """Draw fresh parameters: a plain nested dict of arrays."""
    _, params = nnx.split(UNet(config, rngs=nnx.Rngs(key)), nnx.Param)
    return cast(dict, nnx.to_pure_dict(params))


def abstract_params(config: UNetConfig) -> dict:
    """Return the parameters' shapes and dtypes without allocating them."""
    return cast(dict, nnx.to_pure_dict(_abstract(config)[1]))


@functools.cache
def _abstract(config: UNetConfig) -> tuple[nnx.GraphDef, nnx.State]:
    """Build the network without weights, once: of ADM it takes a second."""
    rngs = cast(nnx.Rngs, _OneKey())
    network = nnx.eval_shape(lambda: UNet(config, rngs=rngs))
    return nnx.split(network, nnx.Param)


class _OneKey:
    """The same key at every call, for weights that nobody draws.

    `nnx.Rngs` counts its calls, and asks the counter for its sharding: traced, it has
    none, and composing JAX's error took three times as long as all the rest.
    """

    def params(self) -> Array:
        return jax.random.key(0)


def make_apply(config: UNetConfig):
    """Return the pure function (params, x [b, h, w, c], t [b]) -> output.

    It takes labels [b] as well, where the network is conditional.
    """
    graphdef, _ = _abstract(config)

    def apply(params: dict, x: Array, t: Array, label: Array | None = None) -> Array:
        return nnx.merge(graphdef, params)(x, t, label)

    return apply
