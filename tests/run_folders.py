"""Folders as `run` leaves them, made without sampling anything."""

import csv
import json

import numpy as np

from mgdm_jax.data import hdf5

FACTS = {
    "data": "embedded sample: test/colin27",
    "simulated": "k-space from magnitude images",
    "nominal_acceleration": 4.0,
    "effective_acceleration": 2.3,
    "noise_std": 0.0,
    "nfe": 20,
    "seconds": 12.5,
    "prox_gap_max": 2e-7,
    "convention": "slice-max",
    "numbers": "zeta 2, lam 0.001, rho 0, eta 1 (zeta as given)",
}
MEASURES = ("psnr", "ssim_uniform7", "ssim_gaussian11", "nmse", "haarpsi")
FOREGROUND = ("psnr_foreground", "ssim_foreground")


def phantom(n, size=48):
    """Return [n, size, size] discs within a disc, in [0, 1]."""
    y, x = np.mgrid[:size, :size] / size - 0.5
    head = np.where((x / 0.42) ** 2 + (y / 0.46) ** 2 < 1, 0.45, 0.0)
    spots = [np.hypot(x - 0.2 * np.cos(i), y - 0.2 * np.sin(i)) < 0.1 for i in range(n)]
    return np.float32(np.stack([head + 0.5 * spot for spot in spots]))


def write(folder, method="mgdm", n=4, *, error=0.03, kind="mri_real", **options):
    """Write a run; its errors are noise of the given deviation.

    Args:
      options: `facts`, `config` (flattened) and `stacks` replace what is usual;
        `reference=False` leaves it and the scores out; `diverged` are indices;
        `samples=True` adds their deviation.
    """
    rng = np.random.default_rng(options.get("seed", 0))
    truth = phantom(n)
    images = truth + np.float32(error) * rng.normal(size=truth.shape).astype("f4")
    images[list(options.get("diverged", ()))] = 0
    steps = np.geomspace(0.5, 1e-3, 20) * rng.uniform(0.5, 2, (n, 1))
    stacks = {
        "reconstruction": images,
        "baseline": 0.6 * truth + 0.1,
        "null_space": np.abs(images - truth) / 2,
        "scale": np.ones(n, np.float32),
        "diverged": np.isin(np.arange(n), options.get("diverged", ())),
        "data_residual": steps[:, -1],
        "steps/data_residual": steps,
        "strip/x0_hat": truth[:1] * np.linspace(0.2, 1, 5)[:, None, None],
        "strip/step": np.array([0, 5, 10, 14, 19]),
        "strip/image": np.array([0]),
    }
    if options.get("reference", True):
        stacks["reference"] = truth
    if options.get("samples"):
        stacks["std"] = np.abs(images - truth)
    stacks |= options.get("stacks", {})
    folder.mkdir(parents=True)
    attrs = {"method": method, "data": "x", "baseline": "Zero-filled"}
    hdf5.write(folder / "reconstructions.h5", stacks, attrs)
    _write_config(folder, method, kind, options.get("config", {}))
    _write_numbers(folder, method, stacks, options)


def _write_config(folder, method, kind, changes):
    config = {
        "name": "mri_brats",
        "method": method,
        "task": {"kind": kind, "acceleration": 4.0, "noise_std": 0.0, "mask_seed": 0},
        "data": {"path": None, "subject": "colin27", "wider_field": False},
        "sampler": {"seed": 0, "n_steps": 20},
    }
    for name, value in changes.items():
        section, _, field = name.rpartition(".")
        (config[section] if section else config)[field] = value
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "environment.json").write_text(json.dumps({"jax": "0.10", "git": None}))


def _write_numbers(folder, method, stacks, options):
    images = stacks["reconstruction"]
    facts = FACTS | {"method": method, "n_images": len(images), "n_samples": 1}
    facts["n_diverged"] = len(options.get("diverged", ()))
    facts["data_residual_mean"] = float(stacks["data_residual"].mean())
    if "reference" in stacks:
        columns = _scores(stacks)
        facts |= {f"{k}_mean": float(columns[k].mean()) for k in columns}
        names = ("volume-max", "slice-max", "range-1", "min-max")
        same = dict.fromkeys((*MEASURES, *FOREGROUND), 0.5)
        facts["conventions"] = dict.fromkeys(names, same)
        with (folder / "metrics.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("image", *columns))
            for i, row in enumerate(zip(*columns.values(), strict=True)):
                writer.writerow((i, *(f"{value:.6g}" for value in row)))
    facts |= options.get("facts", {})
    (folder / "metrics.json").write_text(json.dumps(facts))


def _scores(stacks):
    found = {}
    for prefix, name in (("", "reconstruction"), ("baseline_", "baseline")):
        error = ((stacks[name] - stacks["reference"]) ** 2).mean((1, 2))
        found[f"{prefix}psnr"] = -10 * np.log10(error)
        found[f"{prefix}ssim"] = 1 - np.sqrt(error)
        found[f"{prefix}nmse"] = error
    return found
