"""Prior files: half-precision EMA weights with everything needed to use them.

One safetensors file a prior: no pickle is involved, and the metadata says how the
network was built, what it predicts, in which units, and how it was trained.
"""

import dataclasses
import importlib.resources
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import DTypeLike

from mgdm_jax.data import blame
from mgdm_jax.networks import unet
from mgdm_jax.networks.config import UNetConfig
from mgdm_jax.storage import aside
from mgdm_jax.types import Params

FILE = "prior.safetensors"
"""What trainings and conversions call it in their folders."""

FLOATS = ("F64", "F32", "F16")
"""safetensors' names of the numbers that NumPy has as well."""


@dataclasses.dataclass(frozen=True)
class PriorSpec:
    """Facts about a prior that travel with its weights.

    Attributes:
      name: for people.
      network: fields of `networks.unet.UNetConfig`.
      prediction: of `PREDICTIONS`.
      schedule: name of the discrete VP schedule.
      scale: x_net = scale · x + offset for x in operator units.
      offset: see `scale`; 0 for complex images, whose phase it would turn.
      low: smallest clean value in operator units.
      high: largest clean value in operator units.
      training: steps, data, losses: what the card says.
      n_train: T, noise levels of the schedule.
      betas: its first and its last β; without them the published, `discrete_vp`'s.
    """

    name: str
    network: dict
    prediction: str
    schedule: str
    scale: float
    offset: float
    low: float
    high: float
    training: dict
    n_train: int = 1000
    betas: tuple[float, float] | None = None

    @property
    def image_shape(self) -> tuple[int, ...]:
        """`(h, w)` for one channel, `(h, w, 2)` for complex images."""
        size, channels = self.network["image_size"], self.network["in_channels"]
        return (size, size) if channels == 1 else (size, size, channels)


def met(spec: PriorSpec) -> list[str]:
    """Return the volumes that the weights were trained on, their donors' among them."""
    facts = spec.training
    names = str(facts.get("met", facts.get("subjects", "")))
    return sorted(set(names.split(",")) - {""})


def save(
    path: str | os.PathLike,
    spec: PriorSpec,
    params: Params,
    dtype: DTypeLike = np.float16,
) -> None:
    """Write weights, as `dtype`, and the facts, whole or not at all.

    Raises:
      ValueError: if a weight is not finite, or too large for the dtype.
      OSError: if the file cannot be written.
    """
    with np.errstate(over="ignore"):
        tensors = {
            name: np.asarray(value, dtype) for name, value in flatten(params).items()
        }
    for name, value in tensors.items():
        if not np.isfinite(value).all():
            raise ValueError(
                f"tensor {name} is not finite as {value.dtype}; {path} is not written."
            )
    metadata = {"mgdm_jax": json.dumps(dataclasses.asdict(spec))}
    with aside.replacing(Path(path)) as part:
        try:
            safetensors.numpy.save_file(tensors, part, metadata=metadata)
        except safetensors.SafetensorError as error:
            raise OSError(str(error)) from error


def shipped() -> tuple[str, ...]:
    """Return the names of the priors inside the package."""
    files = _shipped_folder().glob("*.safetensors")
    return tuple(sorted(file.stem for file in files))


def locate(name_or_path: str | os.PathLike) -> Path:
    """Return the file of a shipped prior's name, or the path itself.

    Raises:
      ValueError: if there is neither.
    """
    path = Path(name_or_path)
    if path.suffix != ".safetensors":
        path = _shipped_folder() / f"{name_or_path}.safetensors"
    if path.is_file():
        return path
    given = Path(name_or_path)
    if (given / FILE).is_file():
        raise ValueError(f"{given} is a folder; give the prior in it, {given / FILE}.")
    if given.exists():
        raise ValueError(
            f"{given} is no .safetensors file; of a checkpoint of others `mgdm-jax "
            "convert` makes one."
        )
    raise ValueError(
        f"no prior {name_or_path!r}: expected a .safetensors file, or one of the "
        f"shipped names {', '.join(shipped())}."
    )


def _shipped_folder() -> Path:
    return Path(str(importlib.resources.files("mgdm_jax") / "assets" / "priors"))


def load(name_or_path: str | os.PathLike) -> tuple[PriorSpec, Params]:
    """Return the facts and the float32 weights of a shipped name or a file.

    Raises:
      ValueError: if there is no such prior, or the file is none of ours.
    """
    path = locate(name_or_path)
    tensors, metadata = read(path)
    if "mgdm_jax" not in metadata:
        raise ValueError(
            f"{path} holds no mgdm_jax metadata; expected a file written by "
            "`python -m mgdm_jax.train` or `.convert`."
        )
    with blame.blaming(path):
        spec = _parsed(metadata["mgdm_jax"])
        check_fit({name: value.shape for name, value in tensors.items()}, spec.network)
    return spec, unflatten(tensors)


def _parsed(text: str) -> PriorSpec:
    """Return the facts of a file, each of its kind.

    Raises:
      ValueError: naming the first that is not.
    """
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict):
        raise ValueError("its mgdm_jax metadata is no JSON object of facts.")
    facts = _LATER | facts
    if facts.keys() != _KINDS.keys():
        name = min(facts.keys() ^ _KINDS.keys())
        verb = "lacks" if name in _KINDS else "has an unknown"
        raise ValueError(f"its mgdm_jax metadata {verb} {name!r}.")
    for name, kind in _KINDS.items():
        value = facts[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(f"its mgdm_jax metadata has {name}={value!r}.")
    if betas := facts["betas"]:
        if len(betas) != 2 or not all(type(beta) is float for beta in betas):
            raise ValueError(f"its mgdm_jax metadata has betas={betas!r}.")
        facts["betas"] = tuple(betas)
    spec = PriorSpec(**facts)
    if spec.prediction not in PREDICTIONS:
        raise ValueError(
            f"prediction must be {' or '.join(PREDICTIONS)}, got {spec.prediction!r}."
        )
    bounds = spec.low, spec.high, spec.offset, spec.scale
    if not (
        all(map(math.isfinite, bounds)) and spec.low < spec.high and spec.scale > 0
    ):
        raise ValueError(f"low, high, offset and scale cannot be {bounds}.")
    return spec


_KINDS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "network": dict,
    "prediction": str,
    "schedule": str,
    "scale": (int, float),
    "offset": (int, float),
    "low": (int, float),
    "high": (int, float),
    "training": dict,
    "n_train": int,
    "betas": (list, type(None)),
}
"""What JSON makes of the fields of `PriorSpec`."""

_LATER = {"n_train": 1000, "betas": None}
"""Fields that earlier versions' files lack."""

DIFFUSION = ("eps", "v", "x0")
"""What the network of a prior may predict, see `denoisers.predict_eps`."""

PREDICTIONS = (*DIFFUSION, "image")
"""Of a network; image is `supervised`, no diffusion prior's."""


def check_fit(
    shapes: Mapping[str, tuple[int, ...]], network: Mapping[str, Any]
) -> None:
    """Raise a ValueError of one line unless tensors are a network's, one to one.

    Args:
      shapes: of every tensor, by its joined name.
      network: fields of `networks.config.UNetConfig`.
    """
    config = UNetConfig.from_fields(network)
    # A network of millions of blocks would take for ever to be built.
    if config.n_res_blocks * len(config.channel_mult) > len(shapes):
        raise ValueError(f"its {len(shapes)} tensors are too few for its network.")
    wanted = {k: v.shape for k, v in flatten(unet.abstract_params(config)).items()}
    if shapes.keys() != wanted.keys():
        name = min(shapes.keys() ^ wanted.keys())
        verb = "lacks the tensor" if name in wanted else "has a tensor too many,"
        raise ValueError(f"it {verb} {name}, for the network that it says it holds.")
    for name, shape in wanted.items():
        if shapes[name] != shape:
            raise ValueError(
                f"its tensor {name} has shape {shapes[name]}, not {shape}."
            )


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the tensors and the metadata of any safetensors file.

    Raises:
      ValueError: if it cannot be read.
    """
    try:
        with safetensors.safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            names = file.keys()
            tensors = {name: _tensor(file, name, path) for name in names}
    except (OSError, safetensors.SafetensorError) as error:
        raise ValueError(f"{path} is no readable safetensors file: {error}.") from None
    return tensors, metadata


def _tensor(file: Any, name: str, path: Path) -> np.ndarray:
    kind = file.get_slice(name).get_dtype()
    if kind not in FLOATS:
        raise ValueError(
            f"{path}: tensor {name} is of {kind}; save it as float32 or float16."
        )
    return file.get_tensor(name)


def flatten(tree: dict, prefix: str = "") -> dict[str, np.ndarray]:
    """Return the leaves of nested dictionaries by their joined names, `a.0.b`."""
    flat = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def unflatten(flat: dict[str, np.ndarray]) -> dict:
    """Return nested dictionaries of float32 arrays; undoes `flatten`."""
    tree: dict = {}
    for name, value in flat.items():
        *parents, leaf = name.split(".")
        node = tree
        for parent in parents:
            # Block numbers are integers in the network's parameter tree.
            node = node.setdefault(int(parent) if parent.isdigit() else parent, {})
        node[leaf] = np.asarray(value, np.float32)
    return tree
