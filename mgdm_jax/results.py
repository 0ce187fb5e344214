"""What a run leaves behind: tables, images, a panel, and how it was made."""

import csv
import dataclasses
import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import (
    conventions,
    environment,
    evenly,
    figures,
    hyperparameters,
    methods,
    metrics,
)
from mgdm_jax.data import hdf5
from mgdm_jax.defaults import Config
from mgdm_jax.measurements import Measurements, expected_residual
from mgdm_jax.reconstruction import Reconstruction, by_chunks, scores, watched
from mgdm_jax.report import cautions, finished, page
from mgdm_jax.samplers import loop
from mgdm_jax.storage import aside, strict_json

BASELINES = {
    "mri_real": "Zero-filled",
    "mri_complex": "Zero-filled",
    "ct": "FBP",
    "inpainting": "Measured",
    "super_resolution": "Nearest",
    "deblurring": "Measured",
}
"""What `operator.baseline` is called for each `task.kind`."""

N_KEPT = 8
"""Steps of one image whose x0_hat the report shows."""

PANEL_ROWS = 4
"""Images shown in the panel, evenly spaced."""


FILES = (
    *("config.json", "environment.json", "reconstructions.h5", "metrics.csv"),
    *("panel.png", page.REPORT),
)
"""What `write` writes besides metrics.json."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
      config: with guidance resolved.
      measurements: what was reconstructed.
      result: images and diagnostics.
      seconds: wall time of the sampling, compilation included.
      std: [n, h, w] of the samples, see `posterior`; None of a single one.
      null_space: [n, h, w] of `result.images`, see `posterior`, if it is known.
      n_diverged_samples: of all samples of all images.
    """

    config: Config
    measurements: Measurements
    result: Reconstruction
    seconds: float
    std: np.ndarray | None = None
    null_space: np.ndarray | None = None
    n_diverged_samples: int = 0


def summary(run: Run) -> dict:
    """Return the contents of metrics.json."""
    config, gaps = run.config, run.result.info.prox_gap
    facts = {
        "method": config.method,
        "n_images": len(run.measurements),
        "n_volumes": int(run.measurements.volumes.max()) + 1,
        "n_samples": config.sampler.n_samples,
        "nfe": methods.nfe(config),
        "seconds": round(run.seconds, 2),
        "convention": metrics.CONVENTION,
        "data_residual_mean": float(run.result.data_residual.mean()),
        "expected_residual": expected_residual(run.measurements),
        "prox_gap_max": float(gaps.max(where=np.isfinite(gaps), initial=0)),
        "n_diverged": int(run.result.diverged.sum()),
        "n_diverged_samples": run.n_diverged_samples,
        "image_range": image_range(run.result.images),
        "guidance": config.guidance.to_dict() | {"eta": config.sampler.eta},
        "numbers": hyperparameters.told(config),
    } | run.measurements.facts
    reference = run.measurements.reference
    if reference is None:
        return facts
    # A blank slice has no peak: its PSNR would be -inf, and the mean with it.
    seen = reference.reshape(len(reference), -1).any(1)
    ours, baseline = (
        scores(reference[seen], images[seen])
        for images in (run.result.images, run.result.baseline)
    )
    with np.errstate(invalid="ignore"):  # equal images: an infinite PSNR has no std
        psnr_std = float(ours.psnr.std())
    return facts | {
        "psnr_mean": float(ours.psnr.mean()),
        "psnr_std": psnr_std,
        "ssim_mean": float(ours.ssim.mean()),
        "ssim_std": float(ours.ssim.std()),
        "nmse_mean": float(ours.nmse.mean()),
        "baseline_psnr_mean": float(baseline.psnr.mean()),
        "baseline_ssim_mean": float(baseline.ssim.mean()),
        "conventions": _side_by_side(run),
    }


def _side_by_side(run: Run) -> dict[str, dict[str, float]]:
    """Return convention -> measure -> value."""
    reference, volume = run.measurements.reference, run.measurements.volumes
    assert reference is not None
    scale, volume = np.asarray(run.measurements.scale, np.float32), jnp.asarray(volume)
    highest = by_chunks(conventions.brightest, (reference,))
    peak = conventions.peaks(jnp.asarray(scale * highest), volume)
    stacks = (reference, run.result.images, scale, np.asarray(peak))
    slices = by_chunks(conventions.of_slices, stacks)
    size = math.prod(reference.shape[1:3])
    table = jax.device_get(conventions.summarised(slices, peak, volume, size))
    return {
        label: {name: float(v) for name, v in table[label]._asdict().items()}
        for label in conventions.CONVENTIONS
    }


def write(run: Run, workdir: Path) -> dict:
    """Write every file of a run, or none, and return the summary.

    metrics.json comes last: a folder that holds one is complete. The report is made of
    these files, which stay if it cannot be written; `compare` makes it anew.
    """
    facts = summary(run)
    with aside.filling(workdir, last="metrics.json") as part:
        (part / "config.json").write_text(run.config.to_json_best_effort(indent=2))
        (part / "environment.json").write_text(
            json.dumps(environment.facts(), indent=2)
        )
        _write_images(run, part / "reconstructions.h5")
        if run.measurements.reference is not None:
            _write_table(run, part / "metrics.csv")
            _write_panel(run, part / "panel.png", facts)
        (part / "metrics.json").write_text(strict_json.dumps(facts, indent=2))
    page.write([finished.read(workdir)], workdir / page.REPORT)
    return facts


def _write_images(run: Run, path: Path) -> None:
    in_file_units = run.measurements.in_file_units
    images = {
        "reconstruction": run.result.images,
        "baseline": run.result.baseline,
        "reference": run.measurements.reference,
        "std": run.std,
        "null_space": run.null_space,
    }
    stacks = {k: in_file_units(v) for k, v in images.items() if v is not None}
    stacks |= {
        "scale": run.measurements.scale,
        "data_residual": run.result.data_residual,
        "diverged": run.result.diverged,
        "steps/data_residual": np.asarray(run.result.info.data_residual),
        "steps/prox_gap": np.asarray(run.result.info.prox_gap),
    }
    attrs = {
        "method": run.config.method,
        "data": str(run.measurements.facts["data"]),
        "baseline": BASELINES[run.config.task.kind],
    }
    hdf5.write(path, stacks | _strip(run), attrs)


def _strip(run: Run) -> dict[str, np.ndarray]:
    """Return x0_hat on its way, in the file's units, and of which image and steps."""
    x0_hat = run.result.x0_hat
    if x0_hat is None:
        return {}
    image = watched(len(run.measurements))
    scale = np.full(len(x0_hat), run.measurements.scale[image])
    of_image = dataclasses.replace(run.measurements, scale=scale)
    n_steps = run.result.info.data_residual.shape[1]
    return {
        "strip/x0_hat": of_image.in_file_units(x0_hat),
        "strip/step": loop.kept_steps(n_steps, len(x0_hat)),
        "strip/image": np.array([image]),
    }


def _write_table(run: Run, path: Path) -> None:
    reference = run.measurements.reference
    assert reference is not None
    ours = scores(reference, run.result.images)
    baseline = scores(reference, run.result.baseline)
    fields = ("psnr", "ssim", "nmse", "baseline_psnr", "baseline_ssim")
    whose = run.measurements.whose
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image", *whose, *fields, "data_residual", "diverged"))
        rows = zip(
            *ours,
            *baseline[:2],
            run.result.data_residual,
            run.result.diverged,
            strict=True,
        )
        for index, row in enumerate(rows):
            of = (values[index] for values in whose.values())
            writer.writerow((index, *of, *(f"{value:.6g}" for value in row)))


def _write_panel(run: Run, path: Path, facts: dict) -> None:
    n = len(run.measurements)
    shown = evenly.spaced(n, PANEL_ROWS)
    reference = run.measurements.reference
    assert reference is not None
    figure = figures.panel(
        reference[shown],
        run.result.baseline[shown],
        run.result.images[shown],
        labels=("Reference", BASELINES[run.config.task.kind], run.config.method),
        note=f"{facts['data']}; simulated: {facts['simulated']}.",
    )
    figure.savefig(path, dpi=110)


def table(facts: dict) -> str:
    """Return the summary as lines for a terminal."""
    lines = [
        f"{facts['method']} on {facts['data']}, {facts['n_images']} images, "
        f"{facts['nfe']} network evaluations, {facts['seconds']:.0f} s",
        f"simulated: {facts['simulated']}",
        facts["numbers"],
    ]
    if "effective_acceleration" in facts:
        n_views = facts.get("n_views")
        known = f"nominal {facts.get('nominal_acceleration')}"
        known = f"{n_views} views" if n_views else known
        lines.append(
            f"acceleration: {known}, effective {facts['effective_acceleration']}"
        )
    if "psnr_mean" in facts:
        lines += [
            f"{'':14}{'PSNR / dB':>16}{'SSIM':>18}",
            f"{'baseline':14}{facts['baseline_psnr_mean']:>16.2f}"
            f"{facts['baseline_ssim_mean']:>18.4f}",
            f"{facts['method']:14}{facts['psnr_mean']:>9.2f} ± {facts['psnr_std']:.2f}"
            f"{facts['ssim_mean']:>11.4f} ± {facts['ssim_std']:.4f}",
            f"convention: {facts['convention']}; the same images under others:",
            *_lines_of_conventions(facts["conventions"], facts["n_volumes"]),
        ]
    lines.append(
        f"data residual: {facts['data_residual_mean']:.2e}; "
        f"proximal gap, worst step: {facts['prox_gap_max']:.1e}"
    )
    return "\n".join([*lines, *warnings(facts)])


def warnings(facts: dict) -> list[str]:
    """Return what of the summary nobody should miss."""
    found = cautions.divergence(facts["n_diverged"])
    found += cautions.samples(facts) + cautions.doubts(facts)
    found += cautions.misfit(facts) + cautions.unexplained(facts)
    return [f"WARNING: {text}" for text in found]


def image_range(images: np.ndarray) -> list[float]:
    """Return the least and the largest value, or magnitude, operator units."""
    shown = figures.magnitude(images)
    return [float(shown.min()), float(shown.max())]


def _lines_of_conventions(
    table: dict[str, dict[str, float]], n_volumes: int
) -> list[str]:
    def line(label: str, cells: list[str]) -> str:
        return f"{label:14}" + "".join(f"{cell:>10}" for cell in cells)

    lines = [line("", [heading for heading, _ in conventions.HEADINGS.values()])]
    for label, values in table.items():
        cells = [
            format(values[name], form)
            for name, (_, form) in conventions.HEADINGS.items()
        ]
        lines.append(line(label, cells))
    volumes = f", the mean of {n_volumes} volumes" if n_volumes > 1 else ""
    legend = f"volume-max: as fastMRI{volumes}; u7, g11: SSIM's windows; fg: in the "
    return [*lines, legend + "foreground"]
