r"""Published checkpoints become priors: `python -m mgdm_jax.convert CKPT --out DIR`.

Writes `DIR/prior.safetensors` in float32, which is what `--config.prior.path` takes.
Nothing inside a checkpoint is executed, and every tensor of it is used exactly once.

    python -m mgdm_jax.convert knee.pt --preset fastmri_knee_320 --out runs/knee
    python -m mgdm_jax.convert mine.pt --image_size 320 --n_head_channels 64 \
        --out runs/mine
    python -m mgdm_jax.convert --from diffusers unet_folder --out runs/theirs
"""

import functools
import sys
from pathlib import Path

import numpy as np
from absl import flags

from mgdm_jax import priors
from mgdm_jax.commands import launch
from mgdm_jax.converting import foreign, infer, names, presets
from mgdm_jax.data import blame
from mgdm_jax.networks.unet import UNetConfig
from mgdm_jax.storage import aside
from mgdm_jax.types import Params

SOURCES = ("guided-diffusion", "diffusers")
SCHEDULES = ("linear", "cosine", "scaled_linear")


def adm(
    path: str,
    *,
    preset: str | None = None,
    image_size: int | None = None,
    new_attention_order: bool = False,
    n_head_channels: int = 0,
    n_heads: int = 0,
) -> tuple[UNetConfig, Params]:
    """Return network and parameters of a guided-diffusion checkpoint.

    Args:
      path: a `.pt` file, or safetensors of the same names.
      preset: name of a published network, see `presets.preset`; or, where the tensors
        tell the rest:
      image_size: of the images,
      new_attention_order: order of q, k, v and heads, and
      n_head_channels: channels of a head, or
      n_heads: number of heads.

    Raises:
      ValueError: with one line, for whatever cannot be converted.
    """
    told = (image_size, new_attention_order, n_head_channels, n_heads)
    if preset and any(told):
        raise ValueError("a preset tells all; give no size, order or heads beside it.")
    if not preset and ((image_size or 0) < 1 or (n_head_channels > 0) == (n_heads > 0)):
        raise ValueError(
            "an ADM checkpoint tells neither image size nor heads; give --preset, or "
            "--image_size and --n_head_channels (or --n_heads) as it was trained."
        )
    known = presets.preset(preset) if preset else None
    tensors = foreign.read_adm(path)
    with blame.blaming(path):
        network = known or infer.adm_config(
            {name: value.shape for name, value in tensors.items()},
            image_size=image_size or 0,
            new_attention_order=new_attention_order,
            n_head_channels=n_head_channels,
            n_heads=n_heads,
        )
        return network, foreign.convert(tensors, network, names.adm)


def diffusers(folder: str) -> tuple[UNetConfig, Params]:
    """Return network and parameters of a folder that UNet2DModel was saved to.

    Raises:
      ValueError: with one line, for whatever cannot be converted.
    """
    network, tensors = foreign.read_diffusers(folder)
    name_of = functools.partial(names.diffusers, config=network)
    with blame.blaming(folder):
        return network, foreign.convert(tensors, network, name_of)


def make_spec(
    network: UNetConfig,
    name: str,
    prediction: str,
    schedule: str,
    sees: tuple[float, float] = presets.USUAL_RANGE,
) -> priors.PriorSpec:
    """Return the facts of a converted prior; complex images have two channels.

    Args:
      network: of the checkpoint.
      name: of the prior.
      prediction: "eps" or "v".
      schedule: of `SCHEDULES`.
      sees: what the network was trained on images within. At [-1, 1] it sees 2 x - 1 of
        a real image, each channel of a complex one itself.

    Raises:
      ValueError: if that is no range.
    """
    least, most = sees
    if not least < most:
        raise ValueError(f"--range must be two rising numbers, got {least:g},{most:g}.")
    is_complex = network.in_channels == 2
    width = 2.0 if is_complex else 1.0  # of the operator's range, [-1, 1] or [0, 1]
    return priors.PriorSpec(
        name=name,
        network=network.to_fields(),
        prediction=prediction,
        schedule=schedule,
        scale=(most - least) / width,
        offset=(least + most) / 2 if is_complex else least,
        low=-1.0 if is_complex else 0.0,
        high=1.0,
        training={"converted_from": name},
    )


def _define_flags() -> None:
    flags.DEFINE_enum("from", SOURCES[0], SOURCES, "Who wrote the checkpoint.")
    flags.DEFINE_string("out", None, "Folder to write prior.safetensors into.")
    flags.DEFINE_string("preset", None, "Name of a published network; or else:")
    flags.DEFINE_integer("image_size", None, "Height and width of the images.")
    flags.DEFINE_bool("new_attention_order", False, "The network was built so.")
    flags.DEFINE_integer("n_head_channels", 0, "Channels of an attention head, or")
    flags.DEFINE_integer("n_heads", 0, "the number of heads.")
    flags.DEFINE_enum("schedule", "linear", SCHEDULES, "Of the noise.")
    flags.DEFINE_list(
        "range",
        None,
        "Of the images that the network was trained on, 0,1 say; by default the "
        "preset's, or -1,1.",
    )
    flags.DEFINE_enum("prediction", "eps", ["eps", "v"], "Of the network.")
    flags.DEFINE_bool("overwrite", False, "Replace an earlier conversion.")
    flags.mark_flag_as_required("out")


def _run(checkpoint: str, given: flags.FlagValues) -> Path:
    """Convert one checkpoint and return the file written."""
    path = Path(given.out) / "prior.safetensors"
    if path.exists() and not given.overwrite:
        raise ValueError(f"{path} exists; give --overwrite to replace it.")
    aside.check_inside(path.parent)
    if given["from"].value == "diffusers":
        network, params = diffusers(checkpoint)
    else:
        network, params = adm(
            checkpoint,
            preset=given.preset,
            image_size=given.image_size,
            new_attention_order=given.new_attention_order,
            n_head_channels=given.n_head_channels,
            n_heads=given.n_heads,
        )
    name = Path(checkpoint).stem
    sees = _range(given.range) if given.range else presets.sees(given.preset)
    spec = make_spec(network, name, given.prediction, given.schedule, sees)
    priors.save(path, spec, params, dtype=np.float32)
    return path


def _range(words: list[str]) -> tuple[float, float]:
    try:
        least, most = map(float, words)
    except ValueError:
        given = ",".join(words)
        raise ValueError(f"--range must be two rising numbers, got {given}.") from None
    return least, most


def cli() -> None:
    """Define the flags and convert; here, so that importing this defines none."""
    _define_flags()

    def main(words: list[str]) -> None:
        path = _run(words[0], flags.FLAGS)
        sys.stdout.write(f"wrote {path}\n")

    launch.start(main, n_words=1, words="one checkpoint")


if __name__ == "__main__":
    cli()
