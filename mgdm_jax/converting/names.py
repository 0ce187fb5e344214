"""Our tensors by the names of published checkpoints: ADM's, and diffusers' UNet2DModel.

Both are the U-Net of `unet`; only names, layouts and, in diffusers, the split of q, k
and v differ. Every function maps our name, `input_blocks.1.0.in_conv.kernel`, to the
name or names of the tensors it is made of.
"""

from collections.abc import Sequence

import numpy as np

from mgdm_jax.networks.unet import UNetConfig

_LEAVES = {"kernel": "weight", "scale": "weight", "embedding": "weight", "bias": "bias"}

_ADM_RES = {
    "in_norm": "in_layers.0",
    "in_conv": "in_layers.2",
    "embed": "emb_layers.1",
    "out_norm": "out_layers.0",
    "out_conv": "out_layers.3",
    "skip": "skip_connection",
}

_DIFFUSERS_RES = {
    "in_norm": "norm1",
    "in_conv": "conv1",
    "embed": "time_emb_proj",
    "out_norm": "norm2",
    "out_conv": "conv2",
    "skip": "conv_shortcut",
}


def adm(name: str) -> tuple[str, ...]:
    """Return the name of one of our tensors in an ADM checkpoint.

    Dhariwal & Nichol, 2021; layers without weights count in its numbering.
    """
    *path, leaf = name.split(".")
    match path:
        case ["time_embed" | "out" as part, "1"]:
            path = [part, "2"]
        case ["input_blocks", block, "0", "conv"]:
            path = ["input_blocks", block, "0", "op"]
        case [*block, layer] if layer in _ADM_RES:
            path = [*block, _ADM_RES[layer]]
    return (".".join([*path, _LEAVES[leaf]]),)


def diffusers(name: str, config: UNetConfig) -> tuple[str, ...]:
    """Return the names of one of our tensors in a diffusers UNet2DModel.

    q, k and v are three tensors there, of which ours is the concatenation
    (`new_attention_order`).

    Args:
      name: of ours.
      config: of the network, for the number of blocks of a level.
    """
    *path, leaf = name.split(".")
    leaf = _LEAVES[leaf]
    match path:
        case ["time_embed", index]:
            return (f"time_embedding.linear_{int(index) + 1}.{leaf}",)
        case ["input_blocks", "0", "0"]:
            return (f"conv_in.{leaf}",)
        case ["out", index]:
            return (f"{'conv_out' if index == '1' else 'conv_norm_out'}.{leaf}",)
        case ["middle_block", "1", layer]:
            return _diffusers_attention("mid_block.attentions.0", layer, leaf)
        case ["middle_block", index, layer]:
            block = f"mid_block.resnets.{int(index) // 2}"
            return (f"{block}.{_DIFFUSERS_RES[layer]}.{leaf}",)
        case ["input_blocks", index, child, layer]:
            level, j = divmod(int(index) - 1, config.n_res_blocks + 1)
            return _diffusers_layer(f"down_blocks.{level}", j, child, layer, leaf)
        case ["output_blocks", index, child, layer]:
            level, j = divmod(int(index), config.n_res_blocks + 1)
            return _diffusers_layer(f"up_blocks.{level}", j, child, layer, leaf)
        case _:
            raise ValueError(f"diffusers' UNet2DModel has no tensor like {name}.")


def _diffusers_layer(
    block: str, j: int, child: str, layer: str, leaf: str
) -> tuple[str, ...]:
    if layer == "conv":
        sampler = "downsamplers" if block.startswith("down") else "upsamplers"
        return (f"{block}.{sampler}.0.conv.{leaf}",)
    if child == "0":
        return (f"{block}.resnets.{j}.{_DIFFUSERS_RES[layer]}.{leaf}",)
    return _diffusers_attention(f"{block}.attentions.{j}", layer, leaf)


def _diffusers_attention(block: str, layer: str, leaf: str) -> tuple[str, ...]:
    match layer:
        case "norm":
            return (f"{block}.group_norm.{leaf}",)
        case "qkv":
            return tuple(f"{block}.to_{part}.{leaf}" for part in "qkv")
        case _:
            return (f"{block}.to_out.0.{leaf}",)


_RENAMED = {
    "query": "to_q",
    "key": "to_k",
    "value": "to_v",
    "proj_attn": "to_out.0",
}
"""Parts of an attention before diffusers 0.17 -> since."""


def since_renamed(name: str) -> str:
    """Return a diffusers name as of 0.17, which loads earlier files as well."""
    block, _, last = name.rpartition(".")
    above, _, part = block.rpartition(".")
    return f"{above}.{_RENAMED[part]}.{last}" if part in _RENAMED else name


def from_torch(name: str, tensors: Sequence[np.ndarray]) -> np.ndarray:
    """Return our tensor from those that it is made of.

    Convolutions are OIHW there and HWIO here, linear layers out × in and in × out; a
    1-D convolution of width 1 is a linear layer.

    Args:
      name: of ours; its last part tells a kernel from what stays as it is.
      tensors: to be concatenated along the outputs.
    """
    joined = np.concatenate(tensors) if len(tensors) > 1 else tensors[0]
    if not name.endswith(".kernel"):
        return joined
    if joined.ndim == 3:
        joined = joined[..., 0]
    return joined.T if joined.ndim == 2 else joined.transpose(2, 3, 1, 0)
