"""Checkpoints from elsewhere, read without running anything that they contain.

torch is imported here only, for `.pt` files; `priors.read` reads safetensors.
"""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from mgdm_jax import priors
from mgdm_jax.converting import fields, infer, names
from mgdm_jax.data import blame
from mgdm_jax.networks import unet
from mgdm_jax.networks.unet import UNetConfig
from mgdm_jax.types import Params

Tensors = Mapping[str, np.ndarray]


PICKLES = (".pt", ".pth", ".ckpt", ".bin")
SAFE = ".safetensors"


def check(checkpoint: str | Path, *, is_folder: bool) -> None:
    """Refuse what is not there, or by its looks of another kind.

    Args:
      checkpoint: a file, or a folder of diffusers.
      is_folder: which of them it is to be.

    Raises:
      ValueError: with one line.
    """
    path = Path(checkpoint)
    if not path.exists():
        raise ValueError(f"{path}: there is no such file or folder; check the path.")
    if path.is_dir() != is_folder:
        kind = "folder" if path.is_dir() else "file"
        raise ValueError(
            f"{path} is a {kind}; a folder is for --from=diffusers, a file for "
            "--from=guided-diffusion."
        )
    if not is_folder and path.suffix not in (*PICKLES, SAFE):
        raise ValueError(
            f"{path}: a checkpoint must be a file of {', '.join(PICKLES)} or {SAFE}, "
            "or a folder of diffusers (--from=diffusers); rename it if it is one."
        )


def read_adm(path: str | Path) -> Tensors:
    """Return the tensors of a guided-diffusion `.pt` (or safetensors) file.

    Raises:
      ValueError: if the file cannot be read, or holds more than a dict of tensors.
    """
    path = Path(path)
    if path.suffix == SAFE:
        return _unwrapped(priors.read(path)[0])
    torch = _torch()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle's version; the file is refused
            # Only tensors and plain containers: what else a pickle names is refused.
            state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error}.") from None
    except Exception:  # pickle's, zip's and torch's own, of any kind
        raise ValueError(
            f"{path} is damaged, or a PyTorch file of more than tensors; nothing else "
            "is ever loaded: save its state_dict alone."
        ) from None
    tensors = isinstance(state, dict) and all(map(torch.is_tensor, state.values()))
    if not tensors:
        parts = [*state][:4] if isinstance(state, dict) else [type(state).__name__]
        raise ValueError(
            f"{path} holds no bare state_dict (name -> tensor), as guided-diffusion's "
            f"files do, but {', '.join(map(str, parts))}; save that part of it alone."
        )
    with blame.reading(path):  # sparse and other tensors that are no plain arrays
        return _unwrapped(
            {str(k): v.detach().to(torch.float32).numpy() for k, v in state.items()}
        )


def _unwrapped(tensors: Tensors) -> Tensors:
    """Return tensors by their names in the network, not in what PyTorch put around it.

    `DistributedDataParallel` has them behind `module.`, training frameworks `model.`.
    """
    for prefix in ("module.", "model."):
        if tensors and all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): v for name, v in tensors.items()}
    return tensors


def _torch():
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ValueError(
            "PyTorch reads .pt files, and it is not installed; run `pip install "
            "mgdm-jax[convert]`."
        ) from None
    return torch


def unet_folder(folder: str | Path) -> Path:
    """Return the folder of a diffusers network: its own, or its pipeline's `unet`."""
    folder = Path(folder)
    return folder / "unet" if (folder / "model_index.json").is_file() else folder


def read_diffusers(folder: str | Path) -> tuple[UNetConfig, Tensors]:
    """Return network and tensors of a folder that UNet2DModel was saved to.

    Raises:
      ValueError: if a file is absent or unreadable, or a field has no counterpart.
    """
    folder = unet_folder(folder)
    config = folder / "config.json"
    described = fields.read(config)
    with blame.blaming(config):
        network = infer.diffusers_config(described)
    tensors, _ = priors.read(folder / "diffusion_pytorch_model.safetensors")
    return network, {names.since_renamed(name): v for name, v in tensors.items()}


def convert(
    tensors: Tensors, network: UNetConfig, name_of: Callable[[str], tuple[str, ...]]
) -> Params:
    """Return our parameters, made of foreign tensors one to one.

    Args:
      tensors: of the checkpoint.
      network: how it is built.
      name_of: our name -> theirs, of `names`.

    Raises:
      ValueError: naming a tensor that is missing, left over, of another shape, or not
        finite in float32.
    """
    if len(tensors) < network.n_res_blocks * len(network.channel_mult):
        raise ValueError(f"the checkpoint has but {len(tensors)} tensors.")
    wanted = priors.flatten(unet.abstract_params(network))
    sources = {ours: name_of(ours) for ours in wanted}
    used = {name for names_ in sources.values() for name in names_}
    _complain("lacks", used - tensors.keys())
    _complain("has a tensor too many,", tensors.keys() - used)
    _check_finite(tensors)
    converted = {}
    for ours, theirs in sources.items():
        value = names.from_torch(ours, [tensors[name] for name in theirs])
        if value.shape != wanted[ours].shape:
            raise ValueError(
                f"{theirs[0]} of the checkpoint has shape {value.shape}, the network "
                f"wants {wanted[ours].shape}."
            )
        converted[ours] = np.ascontiguousarray(value)
    return priors.unflatten(converted)


def _check_finite(tensors: Tensors) -> None:
    for name, value in tensors.items():
        with np.errstate(over="ignore"):
            finite = np.isfinite(np.asarray(value, np.float32)).all()
        if not finite:
            raise ValueError(
                f"{name} of the checkpoint holds NaN, or what float32 cannot hold; "
                "give one that is whole."
            )


def _complain(verb: str, tensor_names: set[str]) -> None:
    if tensor_names:
        more = len(tensor_names) - 1
        also = f" and {more} more" if more else ""
        raise ValueError(f"the checkpoint {verb} {min(tensor_names)}{also}.")
