"""Tell what is installed and what it runs on: `python -m mgdm_jax.info`.

    python -m mgdm_jax.info
    JAX_PLATFORMS=cpu python -m mgdm_jax.info

Send its lines along with a report of a fault.
"""

import importlib.metadata
import os
import platform
import sys
from pathlib import Path

import jax

from mgdm_jax import __version__, priors
from mgdm_jax.commands import launch, packaged
from mgdm_jax.operators import spectrum

LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy")


def text() -> str:
    """Return versions, devices, priors, configurations and the cache, as lines."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES]
    lines = [
        f"mgdm_jax {__version__} in {Path(__file__).parent}",
        f"python {platform.python_version()}, {', '.join(versions)}",
        f"devices: {_devices()}",
        f"cache: {cache_line(spectrum.default_cache_dir())}",
        f"configurations of run: {', '.join(packaged.tasks())}",
        f"of train: {', '.join(packaged.trainings())}",
        f"{'shipped prior':16}{'image':>10}{'channels':>10}{'steps':>8}",
        *map(_prior, priors.shipped()),
    ]
    return "\n".join(lines) + "\n"


def _devices() -> str:
    """Return the devices, or why there are none: that is what people come here for."""
    try:
        found = jax.devices()
    except (RuntimeError, AssertionError) as error:  # JAX asserts that one is there
        asked = os.environ.get("JAX_PLATFORMS", "")
        why = " ".join(str(error).split()) or f"JAX_PLATFORMS={asked} finds none"
        return f"none; {why}"
    kinds = [f"{device.platform} ({device.device_kind})" for device in found]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))


def cache_line(folder: Path) -> str:
    """Return where the cache is and how much lies in it."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return (
        f"{folder}, {sum(sizes) / 1e6:.1f} MB in {len(sizes)} files; "
        "MGDM_JAX_CACHE names another folder"
    )


def _prior(name: str) -> str:
    spec = priors.load(name)[0]
    height, width = spec.image_shape[:2]
    channels = spec.network["in_channels"]
    steps = spec.training.get("steps", "?")
    return f"{spec.name:16}{f'{height}x{width}':>10}{channels:>10}{steps:>8}"


def cli() -> None:
    """Tell it."""

    def main(words: list[str]) -> None:
        del words
        sys.stdout.write(text())

    launch.start(main, n_words=0)


if __name__ == "__main__":
    cli()
