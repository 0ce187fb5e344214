"""One projection and its adjoint: ours against scikit-image, astra and scico.

A slice of the embedded sample, views evenly spread over 180°. One process, alternating
rounds, the least counts; scico caps jax (0.0.7 at 0.8.1) and has a process of its own,
started with the interpreter given by --scico, of an environment with `pip install
scico`. astra is timed where it is installed. `differs` is the distance of the sinogram
from ours, relative, and must not be more than `DIFFERS`: scikit-image has our geometry,
astra its own weights, scico smaller pixels, so that there is nothing to compare.
scikit-image's back-projection is no adjoint; ours must be one.

    python -m experiments.benchmarks.projectors --views=23,180 --scico=PATH/python
"""

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from absl import app, flags
from skimage import transform

from experiments import markdown
from experiments.benchmarks.timing import header, least
from mgdm_jax.data import samples
from mgdm_jax.operators import linalg, projection, radon

DIFFERS = {"mgdm_jax": 0.0, "scikit-image": 1e-5, "astra-toolbox": 0.2}
MATCHED = 1e-5
"""Largest gap of the dot test between our projection and its adjoint."""

_VIEWS = flags.DEFINE_list("views", ["23", "180"], "Views of the scans.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Alternating rounds; the least counts.")
_SIZE = flags.DEFINE_integer("size", 320, "The image is resampled to size x size.")
_SCICO = flags.DEFINE_string("scico", None, "Interpreter of an environment with scico.")


class Pair(NamedTuple):
    """A projection [h, h] -> [v, d] in pixels; its adjoint, or what passes for it."""

    forward: Callable[[np.ndarray], object]
    adjoint: Callable[[np.ndarray], object]


def ours(angles: np.ndarray, size: int) -> Pair:
    """Return the matched pair of gathers."""
    op = radon.parallel_beam(angles, size)
    if not (gap := linalg.dot_test(op, jax.random.key(0))) <= MATCHED:
        sys.exit(f"error: A and Aᵀ do not match: {gap:.1e}")
    forward = jax.jit(lambda image: op.forward(image) * op.scale)
    return Pair(forward, jax.jit(lambda sinogram: op.adjoint(sinogram) * op.scale))


def scikit_image(angles: np.ndarray, size: int) -> Pair:
    """Return `radon` and the unfiltered `iradon`."""
    del size
    return Pair(
        lambda image: transform.radon(image, angles, circle=True).T,
        lambda sinogram: transform.iradon(
            sinogram.T,
            angles,
            filter_name=None,  # type: ignore[arg-type]
        ),
    )


def astra(angles: np.ndarray, size: int) -> Pair:
    """Return astra's linear projector on the CPU, matched."""
    import astra as toolbox  # type: ignore[import-not-found]

    volume = toolbox.create_vol_geom(size, size)
    scan = toolbox.create_proj_geom("parallel", 1.0, size, np.deg2rad(angles))
    operator = toolbox.OpTomo(toolbox.create_projector("linear", scan, volume))
    shape = (len(angles), size)
    return Pair(
        lambda image: (operator @ image.ravel()).reshape(shape),
        lambda sinogram: (operator.T @ sinogram.ravel()).reshape(size, size),
    )


def scico_pair(python: str, image: np.ndarray, n_views: int) -> tuple[list[float], str]:
    """Return seconds of scico's pair and its version, measured in its process."""
    script = Path(__file__).with_name("scico_projector.py")
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "image.npy", image)
        words = [folder, str(n_views), str(_ROUNDS.value)]
        done = subprocess.run([python, script, *words], check=False)
        if done.returncode:
            sys.exit(f"{python} could not run {script.name}.")
        facts = json.loads((Path(folder) / "facts.json").read_text())
        return facts["seconds"], facts["version"]


def table(image: np.ndarray, n_views: int) -> list[str]:
    """Return the rows of one number of views."""
    angles = np.arange(n_views) * (180 / n_views)
    known = {"mgdm_jax": ours, "scikit-image": scikit_image}
    if importlib.util.find_spec("astra"):
        known["astra-toolbox"] = astra
    pairs = {name: make(angles, len(image)) for name, make in known.items()}
    sinogram = np.array(pairs["mgdm_jax"].forward(image))
    calls = []
    for pair in pairs.values():
        calls += [
            lambda p=pair: p.forward(image),
            lambda p=pair: p.adjoint(sinogram),
        ]
    seconds = np.reshape(least(_ROUNDS.value, *calls), (-1, 2)).tolist()
    lines = []
    for (name, pair), times in zip(pairs.items(), seconds, strict=True):
        gap = np.linalg.norm(pair.forward(image) - sinogram) / np.linalg.norm(sinogram)
        if not gap <= DIFFERS[name]:
            sys.exit(f"error: the sinogram of {name} differs from ours by {gap:.1e}")
        version = importlib.metadata.version(name)
        lines.append(
            line(n_views, f"{name} {version}", times, seconds[0], f"{gap:.0e}")
        )
    if _SCICO.value:
        times, version = scico_pair(_SCICO.value, image, n_views)
        lines.append(line(n_views, f"scico {version}", times, seconds[0], ""))
    return lines


def line(
    n_views: int, library: str, times: list[float], own: list[float], differs: str
) -> str:
    """Return one row of the table."""
    forward, adjoint = times
    pair = (f"{1e3 * forward:.2f}", f"{1e3 * adjoint:.2f}")
    ratio = f"{sum(times) / sum(own):.2f}"
    return markdown.row([n_views, library, *pair, ratio, differs])


def main(argv: list[str]) -> None:
    """Print one row a scan and library."""
    del argv
    (subject, *_) = samples.subjects("chest", "test")
    volume = samples.load_volume("chest", "test", subject)
    size = _SIZE.value
    image = np.asarray(transform.resize(volume[len(volume) // 2], (size, size)))
    image = np.where(projection.inscribed_circle(size), image, 0)
    names = ["views", "library", "A / ms", "Aᵀ / ms", "pair, ours = 1", "differs"]
    print(header())
    print(markdown.head(names))
    for n_views in map(int, _VIEWS.value):
        print(*table(image, n_views), sep="\n", flush=True)


if __name__ == "__main__":
    app.run(main)
