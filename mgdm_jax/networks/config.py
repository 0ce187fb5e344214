"""How a U-Net is built; fields that come from files and flags are checked."""

import dataclasses
import numbers
from collections.abc import Mapping
from typing import Any, cast

from mgdm_jax.networks import layers

MOST = 2**31
"""Beyond every number of a network: sizes are int32."""

_LEAST = {
    "image_size": 1,
    "in_channels": 1,
    "out_channels": 1,
    "model_channels": 1,
    "n_res_blocks": 1,
    "n_head_channels": 0,
    "n_heads": 0,
    "n_classes": 0,
    "patch": 1,
}
"""Field that is a whole number -> its smallest value."""


@dataclasses.dataclass(frozen=True)
class UNetConfig:
    """Everything that fixes the shapes of a U-Net.

    Attributes:
      image_size: height and width of the images.
      in_channels: channels of the images.
      out_channels: channels of the output (twice `in_channels` with learned variance).
      model_channels: width at multiplier 1.
      channel_mult: multiplier of each level, finest first.
      n_res_blocks: residual blocks a level.
      attention_resolutions: image sizes at which attention runs. As in the published
        code a level attends when its down-sampling factor equals
        `image_size // resolution`, which for 320 and 16 is no level at all.
      n_head_channels: channels of one attention head; not where
      n_heads: heads at every level, 0 to go by their channels.
      scale_shift_norm: time embedding scales and shifts (else is added).
      resblock_updown: resample by residual blocks (else by a convolution).
      new_attention_order: order of q, k, v and heads in the fused projection.
      n_classes: size of the class embedding, 0 for an unconditional model.
      patch: pixel-unshuffle factor of the stem; 1 for ADM.
    """

    image_size: int
    in_channels: int
    out_channels: int
    model_channels: int
    channel_mult: tuple[float, ...]
    n_res_blocks: int
    attention_resolutions: tuple[int, ...] = (16,)
    n_head_channels: int = 64
    scale_shift_norm: bool = True
    resblock_updown: bool = True
    new_attention_order: bool = False
    n_classes: int = 0
    n_heads: int = 0
    patch: int = 1

    def __post_init__(self):
        """Refuse what makes no network, and sizes that the levels do not divide."""
        _check_numbers(self)
        _check_widths(self)
        factor = self.patch * 2 ** (len(self.channel_mult) - 1)
        if self.image_size % factor:
            raise ValueError(
                f"image_size {self.image_size} must be a multiple of {factor}: "
                f"{len(self.channel_mult)} levels behind a {self.patch}-pixel stem."
            )

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> "UNetConfig":
        """Return the configuration of a config's or a file's fields.

        JSON and command-line flags leave lists where tuples belong.

        Raises:
          ValueError: naming a field that is missing, unknown, or makes no network.
        """
        known = {field.name: field.default for field in dataclasses.fields(cls)}
        required = {k for k, v in known.items() if v is dataclasses.MISSING}
        for verb, names in (
            ("lacks the field", required - fields.keys()),
            ("has an unknown field", fields.keys() - known.keys()),
        ):
            if names:
                raise ValueError(f"the network {verb} {min(names)}.")
        values: dict[str, Any] = dict(fields)
        for name in ("channel_mult", "attention_resolutions"):
            if isinstance(values.get(name), list):
                values[name] = tuple(values[name])
        return cls(**values)

    def to_fields(self) -> dict[str, Any]:
        """Return what `from_fields` takes, ready for JSON."""
        return dataclasses.asdict(self)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level."""
        exact = (mult * self.model_channels for mult in self.channel_mult)
        # Rounded first: 480/352 · 352 is 479.99….
        return tuple(int(round(width, 6)) for width in exact)

    def heads(self, width: int) -> int:
        """Return the number of attention heads at that many channels."""
        return self.n_heads or width // min(self.n_head_channels, width)

    @property
    def attending(self) -> tuple[int, ...]:
        """Levels that have attention."""
        return tuple(i for i in range(len(self.channel_mult)) if self.attends(i))

    def attends(self, level: int) -> bool:
        """Whether the level (0 = finest) has attention."""
        factors = {self.image_size // r for r in self.attention_resolutions}
        return self.patch * 2**level in factors


def _is_number(value: object, kind: type = numbers.Integral, above: float = 0) -> bool:
    """Whether a value is a number of that kind beyond another, and a size on earth."""
    is_one = isinstance(value, kind) and not isinstance(value, bool)
    return is_one and above < cast(float, value) < MOST


def _check_numbers(config: UNetConfig) -> None:
    for name, least in _LEAST.items():
        value = getattr(config, name)
        if not _is_number(value, above=least - 1):
            raise ValueError(
                f"network.{name} must be a whole number of at least {least}, and of 31 "
                f"bits, got {value!r}."
            )
    for name, kind in (
        ("channel_mult", numbers.Real),
        ("attention_resolutions", numbers.Integral),
    ):
        values = getattr(config, name)
        if not isinstance(values, tuple) or not all(
            _is_number(v, kind) for v in values
        ):
            raise ValueError(
                f"network.{name} must be positive numbers, got {values!r}."
            )
    for name in ("scale_shift_norm", "resblock_updown", "new_attention_order"):
        value = getattr(config, name)
        if not isinstance(value, bool):
            raise ValueError(f"network.{name} must be true or false, got {value!r}.")


def _check_widths(config: UNetConfig) -> None:
    """Refuse levels whose channels make no groups or no heads."""
    if not config.channel_mult:
        raise ValueError("network.channel_mult must name at least one level.")
    if not (config.n_heads or config.n_head_channels):
        raise ValueError("network.n_heads or network.n_head_channels must be positive.")
    for level, width in enumerate(config.widths):
        if not width or width % layers.GROUPS:
            raise ValueError(
                f"network.channel_mult {config.channel_mult} of model_channels "
                f"{config.model_channels} makes a level of {width} channels; expected "
                f"multiples of {layers.GROUPS}."
            )
        is_last = level == len(config.widths) - 1
        if is_last or config.attends(level):
            _check_heads(config, width)


def _check_heads(config: UNetConfig, width: int) -> None:
    """Refuse heads that the channels of a level with attention do not make."""
    name = "n_heads" if config.n_heads else "n_head_channels"
    divisor = config.n_heads or min(config.n_head_channels, width)
    if width % divisor:
        raise ValueError(
            f"network.{name} {divisor} does not divide the {width} channels of a level "
            "with attention; give them as the network was trained."
        )
