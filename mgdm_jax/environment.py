"""What a result was made with: versions, devices, revision."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path

import jax


def facts() -> dict:
    """Return versions, devices and, inside a checkout, the git revision."""
    packages = ("mgdm-jax", "jax", "jaxlib", "flax", "numpy")
    versions = {name: _version(name) for name in packages}
    devices = [f"{d.platform}: {d.device_kind}" for d in jax.devices()]
    return versions | {
        "python": platform.python_version(),
        "devices": devices,
        "git": _git_revision(),
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    def git(*words: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    try:
        # Installed inside of another project's repository, it is none of its files.
        ours = git("ls-files", Path(__file__).name)
        return (git("describe", "--always", "--dirty") or None) if ours else None
    except OSError:
        return None
