"""Rows of results: computed once and kept on disk; `report` writes them."""

import copy
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import jax
import numpy as np

from experiments import keeping, rows, supervised_unet
from mgdm_jax import factory, hyperparameters, methods, priors, reconstruction
from mgdm_jax.defaults import Config
from mgdm_jax.measurements import Measurements
from mgdm_jax.storage import aside

Results = dict[str, dict]
"""Row -> `score`'s result."""

BROKEN = 5.0
"""PSNR in dB below which an image is no reconstruction but a divergence."""


def prior_id(config: Config) -> str:
    """Return the prior's name, the start of its file's SHA-256, another dtype."""
    content = priors.locate(config.prior.path).read_bytes()
    name = priors.load(config.prior.path)[0].name
    rounded = "" if config.prior.dtype == "float32" else f" in {config.prior.dtype}"
    return f"{name} {hashlib.sha256(content).hexdigest()[:12]}{rounded}"


def settings(config: Config) -> dict:
    """Return what a result depends on; another value makes a kept one stale."""
    numbers, data = hyperparameters.resolve(config), config.data
    return circumstances(config) | {
        "numbers": [float(f"{float(v):.6g}") for v in numbers],
        "data": [data.split, data.path or data.subject, data.n_images],
        "wider_field": data.wider_field,
    }


def circumstances(config: Config) -> dict:
    """Return all of a result's settings but its numbers and slices."""
    return {
        "prior": prior_id(config),
        "clip": [config.prior.clip_denoised, config.prior.clip_gradient],
        "forms": config.guidance.to_dict(),
        "task": config.task.to_dict(),
        "sampler": _sampler(config),
    }


def _sampler(config: Config) -> dict:
    """Return the sampler's settings; η is one of the numbers, others change nothing."""
    elsewhere = ("eta", "batch_size", "n_samples")
    return {k: v for k, v in config.sampler.to_dict().items() if k not in elsewhere}


def score(config: Config) -> dict:
    """Return PSNR and SSIM [n], evaluations and seconds an image, compilation in it.

    How many images broke down as well, the device, and, but of rows that are no
    sampler, the data residual [n].
    """
    started = time.monotonic()
    reference, images, cost = _reconstructed(config)
    seconds = round((time.monotonic() - started) / len(images), 2)
    scored = _scored(reference, images)
    broken = sum(not value >= BROKEN for value in scored["psnr"])
    device = jax.devices()[0].device_kind
    return scored | cost | {"n_broken": broken, "seconds": seconds, "device": device}


def images(config: Config, name: str, folder: Path) -> np.ndarray:
    """Return the images [n, …image] of a row, those that `folder` keeps if it does."""
    path = folder / f"{rows.level_name(config)}-{name}.npz"
    config = rows.configured(config, name)
    wanted = json.dumps(settings(config))
    if path.exists():
        with np.load(path) as kept:
            if str(kept["settings"]) == wanted:
                return kept["images"]
    _, found, _ = _reconstructed(config)
    with aside.replacing(path) as part, part.open("wb") as file:
        np.savez(file, images=found, settings=np.array(wanted))
    return found


def _reconstructed(config: Config) -> tuple[np.ndarray, np.ndarray, dict]:
    """Return references, images, and what they cost."""
    guidance = hyperparameters.resolve(config)
    if config.method in rows.CLASSICAL:
        from experiments import classical  # needs sigpy, which the other rows do not

        return *classical.reconstruct(config, float(guidance.lam)), {"nfe": 0}
    if config.method == rows.SUPERVISED:
        return *supervised_unet.reconstruct(config), {"nfe": 1}
    config = methods.spared(config, guidance)
    prior, measured, sampler = factory.build(config)
    key, size = jax.random.key(config.sampler.seed), config.sampler.batch_size
    done = reconstruction.reconstruct(key, sampler, prior, measured, guidance, size)
    assert measured.reference is not None
    facts = _cost(config) | {"data_residual": done.data_residual.tolist()}
    return measured.reference, done.images, facts


def _cost(config: Config) -> dict:
    """Return the evaluations of one image, of what weighs nothing none."""
    if config.method in (*rows.CLASSICAL, rows.SUPERVISED):
        return {}
    config = methods.spared(config, hyperparameters.resolve(config))
    return {"nfe": methods.nfe(config), "backward": methods.backward(config)}


def baseline(config: Config) -> dict:
    """Return the same of the zero-filled or FBP images, and the measurements' facts."""
    measured = _measured(config)
    scored = _scored(*_with_baseline(measured))
    return scored | {"nfe": 0, "seconds": 0.0, "facts": measured.facts}


def reference_and_baseline(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Return the test slices and their zero-filled or FBP images, [n, …image]."""
    return _with_baseline(_measured(config))


def _measured(config: Config) -> Measurements:
    config = copy.deepcopy(config)
    config.method = "ddim"  # asks for no spectrum
    return factory.build(config).measurements


def _with_baseline(measured: Measurements) -> tuple[np.ndarray, np.ndarray]:
    assert measured.reference is not None
    problems, axes = measured.problem(np.arange(len(measured))), measured.axes
    show = jax.vmap(lambda p: p.operator.baseline(p.measurement), in_axes=(axes,))
    return measured.reference, np.asarray(jax.jit(show)(problems))


def _scored(reference: np.ndarray, images: np.ndarray) -> dict:
    ours = reconstruction.scores(reference, images)
    return {"psnr": ours.psnr.tolist(), "ssim": ours.ssim.tolist()}


def collect(
    config: Config,
    names: list[str],
    folder: Path,
    changes: Mapping[str, dict] = MappingProxyType({}),
    long_slices: int = rows.FEWER_SLICES,
) -> Results:
    """Return the rows that apply, running those that `folder` does not hold.

    One that it holds of all slices is taken where fewer would do.

    Args:
      config: task, data and sampler.
      names: rows of `rows.VARIANTS`.
      folder: of the kept results.
      changes: row -> fields to set in its configuration, flattened.
      long_slices: most slices of a row of thousands of evaluations.

    Raises:
      ValueError: before anything runs, for a row that cannot run, or whose slices are
        not among the others'.
    """
    found = rows.applicable(config, names)
    configs = {
        name: _row(config, name, changes.get(name, {}), long_slices) for name in found
    }
    wanted = {name: settings(row) for name, row in configs.items()}
    for row in configs.values():
        shared_slices(config.data.n_images, row.data.n_images)
        if row.method not in (*rows.CLASSICAL, rows.SUPERVISED):
            factory.make(factory.load_prior(row.prior.path), row)
    results = {"baseline": baseline(config)}
    for name, row in configs.items():
        path = folder / f"{rows.level_name(config)}-{name}.json"
        kept: dict = keeping.read(path)
        source = wanted[name]["data"][:-1]
        of_all = wanted[name] | {"data": [*source, config.data.n_images]}
        if kept.get("settings") not in (wanted[name], of_all):
            kept = score(row) | {"settings": wanted[name]}
            keeping.keep(path, kept)
        results[name] = kept | _cost(row) | {"origin": hyperparameters.origin(row)}
        print(name, f"{np.mean(kept['psnr']):.2f} dB", flush=True)
    return results


def _row(config: Config, name: str, changes: dict, long_slices: int) -> Config:
    row = rows.configured(config, name)
    row.update_from_flattened_dict(changes)
    if name in rows.LONG:
        row.data.n_images = min(row.data.n_images, long_slices)
    return row


def shared_slices(n: int, m: int) -> np.ndarray:
    """Return where the m evenly spaced slices are among the n.

    4 of them are every fifth of 16. Random draws differ, as they depend on the number
    of slices: measurement noise is not paired there.

    Raises:
      ValueError: if the fewer slices are not among the more.
    """
    if m != n and (m < 2 or (n - 1) % (m - 1)):
        raise ValueError(
            f"{m} slices are not every so many of {n}; take 4, 7, 10, 13 or 16 images."
        )
    return np.linspace(0, n - 1, m).round().astype(int)
