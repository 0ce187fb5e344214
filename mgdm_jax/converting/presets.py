"""Published ADM ("guided diffusion") networks, by the names of their checkpoints."""

from mgdm_jax.networks.unet import UNetConfig

USUAL_RANGE = (-1.0, 1.0)


def sees(name: str | None) -> tuple[float, float]:
    """Return the range of the images that a published network was trained on.

    DDS's of AAPM scans are arrays in [0, 1] as they are (`NpyDataset` of
    https://github.com/HJ-harry/DDS); others are guided-diffusion's, in [-1, 1].
    """
    return (0.0, 1.0) if name == "aapm_256" else USUAL_RANGE


def preset(name: str) -> UNetConfig:
    """Return the configuration of a published checkpoint.

    Args:
      name: "ffhq_10m" (DPS), "openai_256" and "openai_256_conditional" (Dhariwal &
        Nichol), "aapm_256" and "fastmri_knee_320" (DDS; two channels).

    Raises:
      ValueError: for another name.
    """
    match name:
        case "ffhq_10m":
            return _adm(channels=3, model_channels=128)
        case "openai_256":
            return _adm(channels=3, n_res_blocks=2, attention=(32, 16, 8))
        case "openai_256_conditional":
            return _adm(
                channels=3, n_res_blocks=2, attention=(32, 16, 8), n_classes=1000
            )
        case "aapm_256":
            return _adm(channels=1)
        case "fastmri_knee_320":
            return _adm(channels=2, image_size=320)
        case _:
            raise ValueError(
                "preset must be ffhq_10m, openai_256, openai_256_conditional, aapm_256 "
                f"or fastmri_knee_320, got {name!r}."
            )


def _adm(
    *,
    channels: int,
    image_size: int = 256,
    model_channels: int = 256,
    n_res_blocks: int = 1,
    attention: tuple[int, ...] = (16,),
    n_classes: int = 0,
) -> UNetConfig:
    """All have learned variance, residual resampling and heads of 64 channels."""
    return UNetConfig(
        image_size=image_size,
        in_channels=channels,
        out_channels=2 * channels,
        model_channels=model_channels,
        channel_mult=(1, 1, 2, 2, 4, 4),
        n_res_blocks=n_res_blocks,
        attention_resolutions=attention,
        n_classes=n_classes,
    )
