"""Published checkpoints become priors: `python -m mgdm_jax.convert CKPT --out DIR`.

Writes `DIR/prior.safetensors` in float32, which is what `--config.prior.path` takes.
Nothing inside a checkpoint is executed, and every tensor of it is used exactly once.

    python -m mgdm_jax.convert ffhq_10m.pt --preset ffhq_10m --out runs/ffhq
    python -m mgdm_jax.convert mine.pt --image_size 320 --out runs/mine
    python -m mgdm_jax.convert --from diffusers unet_folder --out runs/theirs
"""

import functools
import sys
from pathlib import Path

import numpy as np
from absl import app, flags

from mgdm_jax import foreign, priors
from mgdm_jax.networks import infer, names, presets
from mgdm_jax.networks.unet import UNetConfig
from mgdm_jax.types import Params

SOURCES = ("guided-diffusion", "diffusers")


def adm(
    path: str,
    *,
    preset: str | None = None,
    image_size: int | None = None,
    new_attention_order: bool = False,
    n_head_channels: int = 64,
) -> tuple[UNetConfig, Params]:
    """Return network and parameters of a guided-diffusion checkpoint.

    Args:
      path: a `.pt` file, or safetensors of the same names.
      preset: name of a published network, see `presets.preset`; or
      image_size: of the images, where the tensors tell the rest, and
      new_attention_order: order of q, k, v and heads, and
      n_head_channels: channels of a head.

    Raises:
      ValueError: with one line, for whatever cannot be converted.
    """
    if not (preset or image_size):
        raise ValueError(
            "an ADM checkpoint does not tell its image size; give --preset or "
            "--image_size."
        )
    known = presets.preset(preset) if preset else None
    tensors = foreign.read_adm(path)
    network = known or infer.adm_config(
        {name: value.shape for name, value in tensors.items()},
        image_size=image_size or 0,
        new_attention_order=new_attention_order,
        n_head_channels=n_head_channels,
    )
    return network, foreign.convert(tensors, network, names.adm)


def diffusers(folder: str) -> tuple[UNetConfig, Params]:
    """Return network and parameters of a folder that UNet2DModel was saved to.

    Raises:
      ValueError: with one line, for whatever cannot be converted.
    """
    network, tensors = foreign.read_diffusers(folder)
    name_of = functools.partial(names.diffusers, config=network)
    return network, foreign.convert(tensors, network, name_of)


def make_spec(
    network: UNetConfig, name: str, prediction: str, schedule: str
) -> priors.PriorSpec:
    """Return the facts of a converted prior; complex images have two channels.

    Networks see [-1, 1]: 2 x - 1 of a real image, each channel of a complex one itself.
    """
    is_complex = network.in_channels == 2
    return priors.PriorSpec(
        name=name,
        network=network.to_fields(),
        prediction=prediction,
        schedule=schedule,
        scale=1.0 if is_complex else 2.0,
        offset=0.0 if is_complex else -1.0,
        low=-1.0 if is_complex else 0.0,
        high=1.0,
        training={"converted_from": name},
    )


def cli() -> None:
    """Define the flags and convert; here, so that importing this defines none."""
    source = flags.DEFINE_enum("from", SOURCES[0], SOURCES, "Who wrote it.")
    out = flags.DEFINE_string(
        "out", None, "Folder to write prior.safetensors into.", required=True
    )
    preset = flags.DEFINE_string("preset", None, "Published network, by name.")
    size = flags.DEFINE_integer("image_size", None, "Of the images, without a preset.")
    order = flags.DEFINE_bool("new_attention_order", False, "As the network was built.")
    heads = flags.DEFINE_integer("n_head_channels", 64, "Channels of a head.")
    schedule = flags.DEFINE_string("schedule", "linear", "Noise schedule.")
    prediction = flags.DEFINE_enum("prediction", "eps", ["eps", "v"], "Of the network.")
    overwrite = flags.DEFINE_bool("overwrite", False, "Replace an earlier conversion.")

    def main(argv: list[str]) -> None:
        try:
            if len(argv) != 2:
                raise ValueError(f"expected one checkpoint, got {len(argv) - 1}.")
            path = Path(out.value) / "prior.safetensors"
            if path.exists() and not overwrite.value:
                raise ValueError(f"{path} exists; give --overwrite to replace it.")
            if source.value == "diffusers":
                network, params = diffusers(argv[1])
            else:
                network, params = adm(
                    argv[1],
                    preset=preset.value,
                    image_size=size.value,
                    new_attention_order=order.value,
                    n_head_channels=heads.value,
                )
            name = Path(argv[1]).stem
            spec = make_spec(network, name, prediction.value, schedule.value)
            priors.save(path, spec, params, dtype=np.float32)
        except (ValueError, OSError) as error:
            sys.stderr.write(f"error: {error}\n")
            sys.exit(2)
        sys.stdout.write(f"wrote {path}\n")

    app.run(main)


if __name__ == "__main__":
    cli()
