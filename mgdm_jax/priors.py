"""Prior files: half-precision EMA weights with everything needed to use them.

One safetensors file a prior: no pickle is involved, and the metadata says how the
network was built, what it predicts, in which units, and how it was trained.
"""

import dataclasses
import importlib.resources
import json
import os
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import DTypeLike

from mgdm_jax import aside
from mgdm_jax.types import Params


@dataclasses.dataclass(frozen=True)
class PriorSpec:
    """Facts about a prior that travel with its weights.

    Attributes:
      name: for people.
      network: fields of `networks.unet.UNetConfig`.
      prediction: "eps" or "v".
      schedule: name of the discrete VP schedule.
      scale: x_net = scale · x + offset for x in operator units.
      offset: see `scale`; 0 for complex images, whose phase it would turn.
      low: smallest clean value in operator units.
      high: largest clean value in operator units.
      training: steps, data, losses: what the card says.
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

    @property
    def image_shape(self) -> tuple[int, ...]:
        """`(h, w)` for one channel, `(h, w, 2)` for complex images."""
        size, channels = self.network["image_size"], self.network["in_channels"]
        return (size, size) if channels == 1 else (size, size, channels)


def met(spec: PriorSpec) -> list[str]:
    """Return the volumes that the weights were trained on, their donors' among them."""
    facts = spec.training
    return sorted(set(facts.get("met", facts.get("subjects", "")).split(",")) - {""})


def save(
    path: str | os.PathLike,
    spec: PriorSpec,
    params: Params,
    dtype: DTypeLike = np.float16,
) -> None:
    """Write weights, as `dtype`, and the facts, whole or not at all.

    Raises:
      OSError: if the file cannot be written.
    """
    tensors = {
        name: np.asarray(value, dtype) for name, value in flatten(params).items()
    }
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
    if not path.is_file():
        raise ValueError(
            f"no prior {name_or_path!r}: expected a .safetensors file, or one of the "
            f"shipped names {', '.join(shipped())}."
        )
    return path


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
    facts = json.loads(metadata["mgdm_jax"])
    return PriorSpec(**facts), unflatten(tensors)


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the tensors and the metadata of any safetensors file.

    Raises:
      ValueError: if it cannot be read.
    """
    try:
        with safetensors.safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise ValueError(f"{path} is no readable safetensors file: {error}.") from None
    return tensors, metadata


def transfer(source: Params, target: Params) -> Params:
    """Return `target` with every tensor that `source` has in the same shape.

    A magnitude prior so starts a complex one: only its first and last layer differ.
    """
    donor = flatten(source)

    def pick(name: str, value: np.ndarray) -> np.ndarray:
        given = donor.get(name)
        return value if given is None or given.shape != value.shape else given

    return unflatten({k: pick(k, v) for k, v in flatten(target).items()})


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
