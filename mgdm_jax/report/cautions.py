"""What a reader of results should not miss."""

from collections.abc import Mapping, Sequence
from typing import Any

RESIDUAL = 0.4
"""Relative misfit beyond which noise has to explain it; that of a blank image is 1."""

LOWEST, HIGHEST = -0.5, 1.5
"""Beyond these, in operator units, no image of a prior's kind comes but by metal."""


_SAMPLER = (
    "They were simulated by the operator that reconstructs: it is the sampler. Give it "
    "more steps, if there were few, or numbers chosen for this task."
)

_MODEL = (
    "Check that mask and k-space are in one order (DC in the middle or in the corner), "
    "the coil sensitivities, geometry and angles, and that the prior is of such "
    "images, real or complex; more steps, if there were few."
)


def all_of(facts: Mapping[str, Any], diverged: Sequence[int]) -> list[str]:
    """Return a sentence or two for each thing to keep in mind.

    Args:
      facts: of metrics.json.
      diverged: indices of the images that did.
    """
    found = []
    for text in divergence(len(diverged)):
        listed = ", ".join(map(str, diverged[:10]))
        more = f" and {len(diverged) - 10} more" if len(diverged) > 10 else ""
        found.append(f"{text} By index: {listed}{more}.")
    found += samples(facts) + doubts(facts) + misfit(facts) + unexplained(facts)
    nominal = facts.get("nominal_acceleration") or 0
    effective = facts.get("effective_acceleration") or nominal
    if effective < 0.99 * nominal:
        found.append(
            f"Effective acceleration is {effective:g}, not the nominal {nominal:g}: "
            "the densely sampled centre and the symmetry of real images' k-space count."
        )
    if str(facts.get("data", "")).startswith("embedded sample"):
        found.append(
            "Images are of the embedded sample, slices of one person: they say "
            "something about methods, nothing about patients."
        )
    return found + _simulated(str(facts.get("simulated", "")))


def divergence(n: int) -> list[str]:
    """Return the warning of n diverged images, none for none."""
    if not n:
        return []
    which = "1 image diverged; it is" if n == 1 else f"{n} images diverged; they are"
    return [
        f"{which} written, and counted, as blank. "
        "Smaller zeta or rho, or a larger lam, helps."
    ]


def samples(facts: Mapping[str, Any]) -> list[str]:
    """Return the warning of diverged samples, where an image has several.

    Args:
      facts: of metrics.json; runs of before do not count samples.
    """
    n = facts.get("n_diverged_samples", 0)
    if not n or facts.get("n_samples", 1) == 1:
        return []
    total = facts["n_samples"] * facts["n_images"]
    return [f"{n} of {total} samples diverged; they are in no mean and no deviation."]


def doubts(facts: Mapping[str, Any]) -> list[str]:
    """Return what was odd about the measurements when they were read.

    Args:
      facts: of metrics.json; `doubts` are of a user's files only.
    """
    return [f"{text[:1].upper()}{text[1:]}" for text in facts.get("doubts", [])]


def misfit(facts: Mapping[str, Any]) -> list[str]:
    """Return the warning of images that no prior would draw, none where they are sane.

    Args:
      facts: of metrics.json; `image_range` of runs before there was one is missing.
    """
    lowest, highest = facts.get("image_range", (0.0, 1.0))
    if lowest >= LOWEST and highest <= HIGHEST:
        return []
    return [
        f"Images reach from {lowest:.2g} to {highest:.2g}, the prior's from 0 to 1. "
        "Unless that is metal, the measurements do not fit the model: say how noisy "
        "they are (noise_std), and check units, geometry and mask."
    ]


def unexplained(facts: Mapping[str, Any]) -> list[str]:
    """Return the warning of images that contradict their measurements, else none.

    Args:
      facts: of metrics.json; runs of before there was one have no `expected_residual`.
    """
    residual = facts.get("data_residual_mean", 0.0)
    expected = facts.get("expected_residual", 0.0)
    if facts.get("method") == "ddim" or residual <= max(RESIDUAL, 2 * expected):
        return []
    by_noise = f", by noise {expected:.2g} were to be expected" if expected else ""
    advice = _SAMPLER if _is_simulated(str(facts.get("simulated", ""))) else _MODEL
    return [
        f"The data residual is {residual:.2g}{by_noise}: the images contradict their "
        f"measurements. {advice}"
    ]


def _is_simulated(what: str) -> bool:
    return bool(what) and not what.startswith("nothing")


def _simulated(what: str) -> list[str]:
    if not _is_simulated(what):
        return []
    found = [
        f"Simulated: {what}. The model of the measurement is exact here, which of a "
        "scanner it never is."
    ]
    if "coil" in what:
        found.append(
            "Coil sensitivities are simulated, and known without error: of a scan they "
            "are estimated."
        )
    return found
