"""The configuration of a network from what its published checkpoint says."""

import re
from collections.abc import Mapping
from typing import Any

from mgdm_jax.networks.unet import UNetConfig

Shapes = Mapping[str, tuple[int, ...]]
"""Name -> shape of every tensor of a checkpoint."""


def adm_config(
    shapes: Shapes,
    *,
    image_size: int,
    new_attention_order: bool,
    n_head_channels: int = 64,
    n_heads: int = 0,
) -> UNetConfig:
    """Return the configuration of an ADM checkpoint; the arguments no tensor tells.

    Args:
      shapes: of the bare state_dict.
      image_size: of the images.
      new_attention_order: order of q, k, v and heads.
      n_head_channels: channels of a head, or
      n_heads: number of heads, where positive.

    Raises:
      ValueError: if these are no ADM U-Net's tensors.
    """
    _, model_channels = _shape(shapes, "time_embed.0.weight", 2)
    _, in_channels, *_ = _shape(shapes, "input_blocks.0.0.weight", 4)
    out_channels, *_ = _shape(shapes, "out.2.weight", 4)
    embedded, _ = _shape(shapes, "input_blocks.1.0.emb_layers.1.weight", 2)
    n_classes = 0
    if "label_emb.weight" in shapes:
        n_classes, _ = _shape(shapes, "label_emb.weight", 2)
    firsts, n_res_blocks = _first_blocks(shapes)
    norms = [f"input_blocks.{b}.0.out_layers.0.weight" for b in firsts]
    widths = [_shape(shapes, name, 1)[0] for name in norms]
    attended = [f"input_blocks.{b}.1.qkv.weight" in shapes for b in firsts]
    return UNetConfig(
        image_size=image_size,
        in_channels=in_channels,
        out_channels=out_channels,
        model_channels=model_channels,
        channel_mult=tuple(width / model_channels for width in widths),
        n_res_blocks=n_res_blocks,
        attention_resolutions=tuple(
            image_size // 2**level for level, yes in enumerate(attended) if yes
        ),
        n_head_channels=n_head_channels,
        n_heads=n_heads,
        scale_shift_norm=embedded == 2 * widths[0],
        resblock_updown=not any(name.endswith(".0.op.weight") for name in shapes),
        new_attention_order=new_attention_order,
        n_classes=n_classes,
    )


def _shape(shapes: Shapes, name: str, n_axes: int) -> tuple[int, ...]:
    """Return the shape of a tensor that tells how an ADM U-Net is built."""
    if name not in shapes:
        raise ValueError(
            f"the checkpoint has no tensor {name}; expected the bare state_dict of an "
            "ADM (guided-diffusion) U-Net."
        )
    shape = tuple(shapes[name])
    if len(shape) != n_axes or 0 in shape:
        raise ValueError(
            f"{name} of the checkpoint has shape {shape}, expected {n_axes} axes, none "
            "of them empty; this is no ADM U-Net."
        )
    return shape


def _first_blocks(shapes: Shapes) -> tuple[list[int], int]:
    """Return the first input block of each level, and the residual blocks of a level.

    A level is n residual blocks and one that halves the image, the first has the stem
    before it, the last halves nothing: L (n + 1) blocks. L - 1 output blocks end in a
    child that doubles the image.
    """
    block = re.compile(r"input_blocks\.(\d+)\.")
    doubling = re.compile(r"output_blocks\.(\d+)\.[12]\.(?:conv|in_layers\.2)\.weight")
    n_blocks = len({m[1] for m in map(block.match, shapes) if m})
    n_levels = 1 + len({m[1] for m in map(doubling.fullmatch, shapes) if m})
    size, rest = divmod(n_blocks, n_levels)
    if rest or size < 2:
        raise ValueError(
            f"{n_blocks} input blocks do not make {n_levels} levels of an ADM U-Net."
        )
    return [1 + level * size for level in range(n_levels)], size - 1


_DIFFUSERS = {
    "act_fn": "silu",
    "add_attention": True,
    "center_input_sample": False,
    "class_embed_type": None,
    "downsample_padding": 1,
    "downsample_type": "conv",
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "mid_block_scale_factor": 1,
    "mid_block_type": "UNetMidBlock2D",
    "norm_eps": 1e-5,
    "norm_num_groups": 32,
    "num_class_embeds": None,
    "time_embedding_type": "positional",
    "upsample_type": "conv",
}
"""Fields of UNet2DModel's config.json that have no counterpart here, and what they
must be; a field that is absent has this default there as well."""


_REQUIRED = {
    "sample_size": int,
    "in_channels": int,
    "out_channels": int,
    "layers_per_block": int,
    "block_out_channels": list,
    "down_block_types": list,
    "up_block_types": list,
}


def diffusers_config(fields: Mapping[str, Any]) -> UNetConfig:
    """Return the configuration of a diffusers UNet2DModel.

    Args:
      fields: of its config.json.

    Raises:
      ValueError: naming a field that this U-Net has no counterpart for.
    """
    _check_fields(fields)
    # Without scale and shift the middle attention takes the residual blocks' groups.
    scale_shift = fields.get("resnet_time_scale_shift") == "scale_shift"
    groups = fields.get("attn_norm_num_groups") or (None if scale_shift else 32)
    if groups != 32:
        raise ValueError(
            f"UNet2DModel with attn_norm_num_groups={groups} has no counterpart here; "
            "expected 32."
        )
    size, widths = fields["sample_size"], fields["block_out_channels"]
    return UNetConfig(
        image_size=size,
        in_channels=fields["in_channels"],
        out_channels=fields["out_channels"],
        model_channels=widths[0],
        channel_mult=tuple(width / widths[0] for width in widths),
        n_res_blocks=fields["layers_per_block"],
        attention_resolutions=tuple(
            size // 2**level for level, yes in enumerate(_attended(fields)) if yes
        ),
        n_head_channels=fields.get("attention_head_dim", 8) or max(widths),
        scale_shift_norm=scale_shift,
        resblock_updown=False,
        new_attention_order=True,
    )


def _check_fields(fields: Mapping[str, Any]) -> None:
    """Refuse a field of another kind, or of which this U-Net has no counterpart."""
    for name, kind in _REQUIRED.items():
        if not isinstance(fields.get(name), kind):
            raise ValueError(
                f"UNet2DModel's config.json must state {name}, got "
                f"{fields.get(name)!r}."
            )
    widths = fields["block_out_channels"]
    if not widths or not all(type(width) is int and width > 0 for width in widths):
        raise ValueError(
            "UNet2DModel's block_out_channels must be positive whole numbers, got "
            f"{widths!r}."
        )
    for name, value in _DIFFUSERS.items():
        if fields.get(name, value) != value:
            raise ValueError(
                f"UNet2DModel with {name}={fields[name]!r} has no counterpart here; "
                f"expected {value!r}."
            )


_BLOCKS = ("DownBlock2D", "AttnDownBlock2D", "UpBlock2D", "AttnUpBlock2D")


def _attended(fields: Mapping[str, Any]) -> list[bool]:
    """Return which levels have attention, the finest first."""
    down, up = fields["down_block_types"], fields["up_block_types"]
    n_levels = len(fields["block_out_channels"])
    attended = [kind == "AttnDownBlock2D" for kind in down]
    mirrored = [kind == "AttnUpBlock2D" for kind in reversed(up)]
    known = all(kind in _BLOCKS for kind in (*down, *up))
    if attended != mirrored or not known or len(down) != n_levels:
        raise ValueError(
            f"UNet2DModel's blocks must be {n_levels} of {', '.join(_BLOCKS)}, the "
            f"encoder's as the decoder's, got {list(down)} and {list(up)}."
        )
    return attended
