"""Prior files: half-precision EMA weights with everything needed to use them.

One safetensors file a prior: no pickle is involved, and the metadata says how the
network was built, what it predicts, in which units, and how it was trained.
"""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

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


def save(path: str | os.PathLike, spec: PriorSpec, params: Params) -> None:
    """Write weights in float16 and the facts; aside first, then renamed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: np.asarray(value, np.float16) for name, value in _flatten(params).items()
    }
    aside = path.with_name(path.name + ".tmp")
    safetensors.numpy.save_file(
        tensors, aside, metadata={"mgdm_jax": json.dumps(dataclasses.asdict(spec))}
    )
    os.replace(aside, path)


def load(path: str | os.PathLike) -> tuple[PriorSpec, Params]:
    """Return the facts and the float32 weights.

    Raises:
      ValueError: if the file is no prior of ours.
    """
    try:
        with safetensors.safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise ValueError(f"{path} is no readable safetensors file: {error}.") from None
    if "mgdm_jax" not in metadata:
        raise ValueError(
            f"{path} holds no mgdm_jax metadata; expected a file written by "
            "`python -m mgdm_jax.train`."
        )
    facts = json.loads(metadata["mgdm_jax"])
    return PriorSpec(**facts), _unflatten(tensors)


def _flatten(tree: dict, prefix: str = "") -> dict[str, np.ndarray]:
    flat = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _unflatten(flat: dict[str, np.ndarray]) -> dict:
    tree: dict = {}
    for name, value in flat.items():
        *parents, leaf = name.split(".")
        node = tree
        for parent in parents:
            # Block numbers are integers in the network's parameter tree.
            node = node.setdefault(int(parent) if parent.isdigit() else parent, {})
        node[leaf] = value.astype(np.float32)
    return tree
