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
from typing import Any

import numpy as np
from absl import flags

from mgdm_jax import priors, schedules
from mgdm_jax.commands import launch
from mgdm_jax.converting import diffusion, foreign, infer, names, presets
from mgdm_jax.data import blame
from mgdm_jax.networks.unet import UNetConfig
from mgdm_jax.storage import aside
from mgdm_jax.types import Params

SOURCES = ("guided-diffusion", "diffusers")
Ends = tuple[float, float]


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
    process: diffusion.Process = diffusion.USUAL,
    *,
    sees: Ends = presets.USUAL_RANGE,
    window: Ends | None = None,
) -> priors.PriorSpec:
    """Return the facts of a converted prior; complex images have two channels.

    Args:
      network: of the checkpoint.
      name: of the prior.
      process: that it was trained on.
      sees: what the network sees at the ends of the images' range: of a real image 0
        and 1, of each channel of a complex one -1 and 1.
      window: of CT, HU at those ends instead; 0 and 1 are -1024 and 1024 HU.

    Raises:
      ValueError: if these are no ranges, or the window is not of one channel.
    """
    is_complex = network.in_channels == 2
    if window and is_complex:
        raise ValueError("--window is of CT; complex images have no HU.")
    low, high = (-1.0, 1.0) if is_complex else (0.0, 1.0)
    if window:
        low, high = ((hounsfield + 1024) / 2048 for hounsfield in window)
    least, most = sees
    for flag, (a, b) in {"range": (least, most), "window": (low, high)}.items():
        if not a < b:
            raise ValueError(f"--{flag} must be two rising numbers, got {a:g},{b:g}.")
    scale = (most - least) / (high - low)
    return priors.PriorSpec(
        name=name,
        network=network.to_fields(),
        scale=scale,
        offset=least - scale * low,
        low=low,
        high=high,
        training={"converted_from": name},
        **process._asdict(),
    )


def _define_flags() -> None:
    flags.DEFINE_enum("from", SOURCES[0], SOURCES, "Who wrote the checkpoint.")
    flags.DEFINE_string("out", None, "Folder to write prior.safetensors into.")
    flags.DEFINE_string("preset", None, "Name of a published network; or else:")
    flags.DEFINE_integer("image_size", None, "Height and width of the images.")
    flags.DEFINE_bool("new_attention_order", False, "The network was built so.")
    flags.DEFINE_integer("n_head_channels", 0, "Channels of an attention head, or")
    flags.DEFINE_integer("n_heads", 0, "the number of heads.")
    flags.DEFINE_enum(
        "prediction", None, priors.DIFFUSION, "Of the network; by default eps."
    )
    flags.DEFINE_enum(
        "schedule", None, diffusion.SCHEDULES, "Of the noise; by default linear."
    )
    flags.DEFINE_integer("n_train", None, "Its levels T; by default 1000.")
    flags.DEFINE_list(
        "betas", None, "Its first and last β; by default the published of its name."
    )
    flags.DEFINE_list(
        "range",
        None,
        "What the network sees of images 0 and 1 (complex: of -1 and 1), 0,1 say; by "
        "default the preset's, or -1,1.",
    )
    flags.DEFINE_list(
        "window", None, "HU that --range is of; by default -1024,1024, which 0,1 are."
    )
    flags.DEFINE_bool("overwrite", False, "Replace an earlier conversion.")
    flags.mark_flag_as_required("out")


ARCHITECTURE = (
    "preset",
    "image_size",
    "new_attention_order",
    "n_head_channels",
    "n_heads",
)
"""Flags of what an ADM checkpoint does not tell, arguments of `adm`."""


def _run(checkpoint: str, given: flags.FlagValues) -> tuple[Path, priors.PriorSpec]:
    """Convert one checkpoint; return the file written and its facts."""
    path = Path(given.out) / priors.FILE
    if path.exists() and not given.overwrite:
        raise ValueError(f"{path} exists; give --overwrite to replace it.")
    aside.check_inside(path.parent)
    of_diffusers = given["from"].value == "diffusers"
    foreign.check(checkpoint, is_folder=of_diffusers)
    architecture: dict[str, Any] = {name: given[name].value for name in ARCHITECTURE}
    said = None
    if of_diffusers:
        if any(architecture.values()):
            raise ValueError(
                "diffusers' config.json tells how the network is built; leave out "
                f"--{', --'.join(ARCHITECTURE)}."
            )
        network, params = diffusers(checkpoint)
        said = diffusion.beside(foreign.unet_folder(checkpoint))
    else:
        network, params = adm(checkpoint, **architecture)
    told = {name: given[name].value for name in ("prediction", "schedule", "n_train")}
    told["betas"] = _ends("betas", given.betas)
    spec = make_spec(
        network,
        Path(checkpoint).stem,
        diffusion.settled(told, said),
        sees=_ends("range", given.range) or presets.sees(given.preset),
        window=_ends("window", given.window),
    )
    schedules.discrete_vp(spec.schedule, spec.n_train, spec.betas)
    priors.save(path, spec, params, dtype=np.float32)
    return path, spec


def _ends(flag: str, words: list[str] | None) -> Ends | None:
    try:
        first, last = map(float, words) if words else (0.0, 0.0)
    except ValueError:
        given = ",".join(words or [])
        raise ValueError(f"--{flag} must be two rising numbers, got {given}.") from None
    return (first, last) if words else None


def _described(spec: priors.PriorSpec) -> str:
    """Return what no tensor told, for the eye: wrong, it makes every image wrong."""
    betas = " of β {:g} to {:g}".format(*spec.betas) if spec.betas else ""
    sees = [spec.scale * end + spec.offset for end in (spec.low, spec.high)]
    return (
        f"taken to predict {spec.prediction}, on the {spec.schedule} schedule{betas} "
        f"with {spec.n_train} levels, and to see {spec.low:g} to {spec.high:g} as "
        f"{sees[0]:g} to {sees[1]:g}"
    )


def cli() -> None:
    """Define the flags and convert; here, so that importing this defines none."""
    _define_flags()

    def main(words: list[str]) -> None:
        path, spec = _run(words[0], flags.FLAGS)
        sys.stdout.write(f"wrote {path}\n{_described(spec)}\n")

    launch.start(main, n_words=1, words="one checkpoint")


if __name__ == "__main__":
    cli()
