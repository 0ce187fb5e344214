"""Rows of results: computed once, kept on disk, paired, written as Markdown and CSV."""

import copy
import csv
import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import jax
import numpy as np

from experiments import rows, supervised_unet
from mgdm_jax import factory, hyperparameters, methods, metrics, priors, reconstruction
from mgdm_jax.defaults import Config

Results = dict[str, dict]
"""Row -> `score`'s result."""

PaperRow = tuple[str, str]
"""PSNR and SSIM as the paper prints them."""


def with_level(config: Config, level: float) -> Config:
    """Return the configuration at one acceleration or number of views."""
    config = copy.deepcopy(config)
    if config.task.kind == "ct":
        config.task.n_views = int(level)
    else:
        config.task.acceleration = float(level)
    return config


def prior_id(config: Config) -> str:
    """Return the prior's name and the start of its file's SHA-256."""
    content = priors.locate(config.prior.path).read_bytes()
    name = priors.load(config.prior.path)[0].name
    return f"{name} {hashlib.sha256(content).hexdigest()[:12]}"


def settings(config: Config) -> dict:
    """Return what a result depends on; another value makes a kept one stale."""
    numbers = hyperparameters.resolve(config)
    return circumstances(config) | {
        "numbers": [float(f"{float(v):.6g}") for v in numbers],
        "data": [config.data.split, config.data.subject, config.data.n_images],
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


def keep(path: Path, result: dict) -> None:
    """Write a result as JSON, aside first: a killed run leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".tmp")
    aside.write_text(json.dumps(result, indent=1))
    os.replace(aside, path)


def _sampler(config: Config) -> dict:
    """Return the sampler's settings; η is among the numbers, batches change nothing."""
    elsewhere = ("eta", "batch_size")
    return {k: v for k, v in config.sampler.to_dict().items() if k not in elsewhere}


def score(config: Config) -> dict:
    """Return PSNR and SSIM [n], evaluations and seconds an image, compilation in it.

    The data residual [n] as well, but of rows that are no sampler.
    """
    started = time.monotonic()
    reference, images, cost = _reconstructed(config)
    seconds = round((time.monotonic() - started) / len(images), 2)
    return _scored(reference, images) | cost | {"seconds": seconds}


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
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    np.savez(aside, images=found, settings=np.array(wanted))
    os.replace(aside, path)
    return found


def _reconstructed(config: Config) -> tuple[np.ndarray, np.ndarray, dict]:
    """Return references, images, and what they cost."""
    guidance = hyperparameters.resolve(config)
    if config.method in rows.CLASSICAL:
        from experiments import classical  # needs sigpy, which the other rows do not

        return *classical.reconstruct(config, float(guidance.lam)), {"nfe": 0}
    if config.method == rows.SUPERVISED:
        return *supervised_unet.reconstruct(config), {"nfe": 1}
    prior, measured, sampler = factory.build(config)
    key, size = jax.random.key(config.sampler.seed), config.sampler.batch_size
    done = reconstruction.reconstruct(key, sampler, prior, measured, guidance, size)
    assert measured.reference is not None
    cost = {"nfe": methods.nfe(config), "backward": methods.backward(config)}
    cost |= {"data_residual": done.data_residual.tolist()}
    return measured.reference, done.images, cost


def baseline(config: Config) -> dict:
    """Return the same of the zero-filled or FBP images."""
    scored = _scored(*reference_and_baseline(config))
    return scored | {"nfe": 0, "seconds": 0.0}


def reference_and_baseline(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Return the test slices and their zero-filled or FBP images, [n, …image]."""
    config = copy.deepcopy(config)
    config.method = "ddim"  # asks for no spectrum
    measured = factory.build(config).measurements
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
) -> Results:
    """Return the rows that apply, running those that `folder` does not hold.

    Args:
      config: task, data and sampler.
      names: rows of `rows.VARIANTS`.
      folder: of the kept results.
      changes: row -> fields to set in its configuration, flattened.
    """
    results = {"baseline": baseline(config)}
    for name in rows.applicable(config, names):
        path = folder / f"{rows.level_name(config)}-{name}.json"
        row = rows.configured(config, name)
        row.update_from_flattened_dict(changes.get(name, {}))
        most = rows.FEWER_SLICES.get(name, row.data.n_images)
        row.data.n_images = min(row.data.n_images, most)
        wanted = settings(row)
        kept: dict = json.loads(path.read_text()) if path.exists() else {}
        if kept.get("settings") != wanted:
            kept = score(row) | {"settings": wanted}
            keep(path, kept)
        results[name] = kept
        print(name, f"{np.mean(kept['psnr']):.2f} dB", flush=True)
    return results


def paired_lead(ours: dict, other: dict) -> np.ndarray:
    """Return MGDM's PSNR minus another row's on the slices that both have.

    Slices are evenly spaced: 4 of them are every fifth of 16. Random draws differ, as
    they depend on the number of slices: measurement noise is not paired there.

    Raises:
      ValueError: if the fewer slices are not among the more.
    """
    n, m = len(ours["psnr"]), len(other["psnr"])
    if m != n and (m < 2 or (n - 1) % (m - 1)):
        raise ValueError(f"{m} slices are not every so many of {n}.")
    shared = np.linspace(0, n - 1, m).round().astype(int)
    return np.asarray(ours["psnr"])[shared] - np.asarray(other["psnr"])


def markdown(results: Results, paper: Mapping[str, PaperRow], source: str) -> str:
    """Return the table: mean ± std, MGDM's lead with its interval, cost, the paper's.

    Args:
      results: of `collect`, with a row `mgdm`.
      paper: rows that the paper has.
      source: the paper's data set, for the heading; empty for no such column.
    """
    head = "| method | slices | PSNR / dB | SSIM | MGDM's lead / dB [95 %] "
    head += "| NFE + backward | s |"
    head += f" paper, on {source}: PSNR, SSIM |" if source else ""
    lines = [head, "|" + "---|" * (head.count("|") - 1)]
    for name, row in results.items():
        psnr, ssim = np.asarray(row["psnr"]), np.asarray(row["ssim"])
        lead = paired_lead(results["mgdm"], row)
        cells = [
            name,
            str(len(psnr)),
            f"{psnr.mean():.2f} ± {psnr.std():.2f}",
            f"{ssim.mean():.4f} ± {ssim.std():.4f}",
            _interval(lead),
            f"{row['nfe']} + {row.get('backward', 0)}",
            f"{row['seconds']:.1f}",
        ]
        if source:
            cells.append(", ".join(paper.get(name, ("-",))))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _interval(lead: np.ndarray) -> str:
    if not lead.any():
        return ""
    low, high = metrics.bootstrap_interval(lead, seed=0)
    return f"{lead.mean():+.2f} [{low:+.2f}, {high:+.2f}]"


def write_csv(results: Results, path: Path) -> None:
    """Write one line a row and slice."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("row", "slice", "psnr", "ssim"))
        for name, row in results.items():
            for i, pair in enumerate(zip(row["psnr"], row["ssim"], strict=True)):
                writer.writerow((name, i, *(f"{value:.5g}" for value in pair)))
