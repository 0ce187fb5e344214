"""What a sweep leaves behind besides its table, and whether a folder is its own."""

import json
import textwrap
from pathlib import Path

import jax

from mgdm_jax import defaults, environment, fingerprints, priors
from mgdm_jax.data import prepared
from mgdm_jax.defaults import Config
from mgdm_jax.factory import Prior
from mgdm_jax.measurements import Measurements
from mgdm_jax.storage import aside
from mgdm_jax.sweeping import criteria, tables
from mgdm_jax.sweeping.tables import Row

TABLE, CONFIG = "sweep.csv", "config.json"

MAY_CHANGE = (
    *("sampler.batch_size", "sampler.n_samples"),
    *("sweep.batch_size", "sweep.memory", "sweep.n_trials"),
)
"""Settings that a sweep may go on with others of."""

VERSIONS = ("mgdm-jax", "jax", "jaxlib")
"""Packages of which rows of others do not belong into one table."""

VALIDATION = {"brain": "itk_mprage", "chest": "lung1"}
"""Subjects of the embedded sample to choose numbers on."""


def check(workdir: Path, config: Config) -> None:
    """Refuse a folder of something else than this sweep, or one that is read-only.

    Raises:
      ValueError: with one line, naming what differs.
    """
    if workdir.exists() and not workdir.is_dir():
        raise ValueError(f"{workdir} is a file; give a folder as --workdir.")
    aside.check_inside(workdir)
    if (workdir / "metrics.json").exists():
        raise ValueError(f"{workdir} holds a finished run; give another --workdir.")
    tables.read(workdir / TABLE)
    if (workdir / TABLE).exists() and not (workdir / CONFIG).exists():
        raise ValueError(
            f"{workdir} holds a table, and no {CONFIG} to tell of what; give another "
            "--workdir."
        )
    if differing := fingerprints.changes(workdir / CONFIG, config, MAY_CHANGE):
        raise ValueError(
            f"{workdir} holds another sweep: {differing}; give another --workdir."
        )


def check_inputs(
    workdir: Path, config: Config, prior: Prior, measurements: Measurements
) -> str:
    """Return a digest of weights and data, refused if it was another one.

    Of images that measurements are simulated of, the images: on another device the
    last bits of what is simulated differ.

    Raises:
      ValueError: with one line.
    """
    data = [measurements.reference]
    if config.data.path and not prepared.is_prepared(config.data.path):
        data = measurements.given()
    found = fingerprints.digest((*jax.tree.leaves(prior.params), *data))
    _check_environment(workdir, found)
    return found


def _check_environment(workdir: Path, inputs: str) -> None:
    """Refuse a folder that was begun with other weights, images or versions."""
    before = fingerprints.read(workdir / "environment.json")
    if before is None:
        return
    if before.get("inputs") != inputs:
        raise ValueError(
            f"the prior or the images are not those that {workdir} was begun with; "
            "give another --workdir."
        )
    now = environment.facts()
    for name in VERSIONS:
        if before.get(name) != now[name]:
            raise ValueError(
                f"{workdir} was begun with {name} {before.get(name)}, this is "
                f"{now[name]}; give another --workdir, or go on with that."
            )


def begin(workdir: Path, config: Config, inputs: str) -> None:
    """Write config.json and environment.json, the latter of the first start.

    Raises:
      ValueError: if another process has begun another sweep meanwhile.
    """
    check(workdir, config)
    _check_environment(workdir, inputs)
    fingerprints.keep(workdir / CONFIG, config)
    if not (workdir / "environment.json").exists():
        facts = environment.facts() | {"inputs": inputs}
        aside.write_text(workdir / "environment.json", json.dumps(facts, indent=2))


def provenance(config: Config, measurements: Measurements) -> list[str]:
    """Return what the numbers were chosen on, and warnings where they should not be."""
    data, n = config.data, len(measurements)
    lines = [f"chosen on {measurements.facts['data']}, {n} images"]
    looked = config.sweep.criterion == criteria.REFERENCE
    if not looked:
        lines[0] += f", by {config.sweep.criterion}: no reference was looked at"
    if data.path and not prepared.is_prepared(data.path):
        if looked:
            lines[0] += "; whether of test subjects, the file does not say"
        return lines
    if looked and data.split == "test":
        instead = "--config.data.split=validation"
        if not data.path:
            subject = VALIDATION[data.modality]
            instead = f"--config.data.split=train --config.data.subject={subject}"
        lines.append(
            "WARNING: this is the test split; numbers chosen here flatter every result "
            f"on it. Choose them on other subjects: {instead}"
        )
    drawn = Path(data.path).name if data.path else data.subject
    if drawn in priors.met(priors.load(config.prior.path)[0]) and data.split == "train":
        lines.append(
            f"WARNING: prior {config.prior.path} was trained on {drawn}; give one that "
            "was not with --config.prior.path, as experiments/weights holds them."
        )
    return lines


def write_best(workdir: Path, config: Config, row: Row, notes: list[str]) -> None:
    """Write best.py, a configuration for `run` of all that is not default."""
    path = workdir / "best.py"
    lines = [
        f"The best of a sweep: {_reached(config, row)},",
        *(line for note in notes for line in textwrap.wrap(note, 88)),
        "",
        f"    python -m mgdm_jax.run --config {path}",
        "",
    ]
    docstring = "\n".join(lines).replace("\\", "\\\\").replace('"', '\\"')
    body = "\n".join(f"    {line}" for line in _assignments(config, row))
    aside.write_text(
        path,
        f'"""{docstring}"""\n\n'
        "from mgdm_jax import defaults\n\n\n"
        'def get_config(arg: str = "") -> defaults.Config:\n'
        "    config = defaults.reconstruction()\n"
        f"{body}\n"
        "    return defaults.shrink(config, arg)\n",
    )


def _reached(config: Config, row: Row) -> str:
    if config.sweep.criterion == criteria.REFERENCE:
        return f"{row.psnr_mean:.2f} dB, SSIM {row.ssim_mean:.4f}"
    return f"merit {row.merit:.4g}"


def _assignments(config: Config, row: Row) -> list[str]:
    usual = priors.flatten(defaults.reconstruction().to_dict())
    chosen = priors.flatten(config.to_dict()) | {
        "sampler.n_steps": row.n_steps,
        "sampler.eta": row.eta,
        "guidance.zeta": row.zeta,
        "guidance.lam": row.lam,
        "guidance.rho": row.rho,
    }
    return [
        f"config.{name} = {value!r}"
        for name, value in chosen.items()
        if not name.startswith(("tuned.", "sweep.")) and value != usual.get(name)
    ]
