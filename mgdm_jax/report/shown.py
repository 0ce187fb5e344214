"""Which images a page shows, and those as 8-bit PNG in data URIs."""

import base64
import dataclasses
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from mgdm_jax import figures
from mgdm_jax.report.finished import Finished

MOST = 12
"""Images that a page shows all of; of more, a third each of `choose`'s three kinds."""

HOUNSFIELD = (-1024.0, 1024.0)


@dataclasses.dataclass(frozen=True)
class Picture:
    """One kind of image: what it is called and what its 256 values stand for.

    Attributes:
      key: its name in the page.
      label: for people.
      low: value of 0.
      high: value of 255.
      is_map: an error or a deviation, in colours; else an image, in greys.
      uris: a data URI of each shown image.
    """

    key: str
    label: str
    low: float
    high: float
    is_map: bool
    uris: list[str]


@dataclasses.dataclass(frozen=True)
class Choice:
    """Images of a page, with why each of them is there, and how they were chosen."""

    indices: list[int]
    reasons: list[str]
    note: str


def choose(run: Finished) -> Choice:
    """Return all images, or of many the first, the worst and the best ones.

    Worst and best by PSNR, without a reference by the data residual; what diverged is
    worst of all, and slices whose score is no number are neither.
    """
    n, each = len(run), MOST // 3
    if n <= MOST:
        return Choice(list(range(n)), [""] * n, f"All {n} images.")
    by, quality = "data residual", -run.data_residual
    if "psnr" in run.scores:
        by, quality = "PSNR", run.scores["psnr"]
    quality = np.where(run.diverged, -1e30, quality)
    order = [int(i) for i in np.argsort(quality) if np.isfinite(quality[i])]
    kinds = {"first": range(each), "worst": order[:each], "best": order[::-1][:each]}
    reasons: dict[int, str] = {}
    for reason, indices in kinds.items():
        for i in indices:
            reasons[i] = f"{reasons[i]}, {reason}" if i in reasons else reason
    return Choice(
        list(reasons),
        list(reasons.values()),
        f"Of {n} images: the first {each}, and the {each} worst and the {each} best of "
        f"{run.facts['method']} by {by}.",
    )


def pictures(
    runs: Sequence[Finished], labels: Sequence[str], indices: Sequence[int]
) -> list[Picture]:
    """Return reference, baseline, each reconstruction, and then the maps.

    Args:
      runs: on the same data.
      labels: of their methods.
      indices: images shown.
    """
    first = runs[0]
    stacks = [("reference", "Reference", first.images.get("reference"))]
    stacks += [("baseline", first.baseline_name, first.images["baseline"])]
    for i, (run, label) in enumerate(zip(runs, labels, strict=True)):
        stacks.append((f"method{i}", label, run.images["reconstruction"]))
    low, high = value_range(runs)
    found = [
        _picture(key, label, first.displayed(stack[indices]), low, high)
        for key, label, stack in stacks
        if stack is not None
    ]
    return found + _errors(runs, stacks, indices) + _uncertainty(runs, labels, indices)


def value_range(runs: Sequence[Finished]) -> tuple[float, float]:
    """Return the values that black and white of the 8 bits stand for.

    Of CT the whole of its Hounsfield units; else from 0 to the brightest of the
    reference, or of the baseline, whatever a sampler may have made.
    """
    first = runs[0]
    if first.is_ct:
        return HOUNSFIELD
    brightest = first.images.get("reference", first.images["baseline"]).max()
    return 0.0, float(brightest) if brightest > 0 else 1.0


def strip(run: Finished, low: float, high: float) -> list[str]:
    """Return a data URI of each x0_hat that was kept."""
    if run.strip is None:
        return []
    return [png(image, low, high) for image in run.displayed(run.strip)]


def png(image: np.ndarray, low: float, high: float, palette: bytes = b"") -> str:
    """Return an image as a data URI of an 8-bit PNG.

    Args:
      image: [h, w]; what is no number is shown as low.
      low: value of 0; what is below is that as well.
      high: value of 255.
      palette: red, green and blue of 256 colours; none for greys.
    """
    share = np.nan_to_num((image - low) / (high - low), nan=0, posinf=1, neginf=0)
    values = np.round(255 * np.clip(share, 0, 1)).astype(np.uint8)
    picture = Image.fromarray(values)
    if palette:
        picture.putpalette(palette)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _picture(
    key: str,
    label: str,
    stack: np.ndarray,
    low: float,
    high: float,
    palette: bytes = b"",
) -> Picture:
    uris = [png(image, low, high, palette) for image in stack]
    return Picture(key, label, low, high, bool(palette), uris)


def _errors(
    runs: Sequence[Finished],
    stacks: Sequence[tuple[str, str, np.ndarray | None]],
    indices: Sequence[int],
) -> list[Picture]:
    """Return the absolute error of all but the reference, on one scale.

    The scale is that of the methods, where they have not diverged: a baseline's errors,
    and those of a blank image, may be ten times theirs.
    """
    reference = stacks[0][2]
    if reference is None:
        return []
    maps = [
        (f"error-{key}", f"Error of {label}", np.abs(stack - reference)[indices])
        for key, label, stack in stacks[1:]
        if stack is not None
    ]
    errors = [
        np.abs(run.images["reconstruction"] - reference)[~run.diverged] for run in runs
    ]
    return _on_one_scale(runs[0], maps, errors)


def _uncertainty(
    runs: Sequence[Finished], labels: Sequence[str], indices: Sequence[int]
) -> list[Picture]:
    """Return the samples' deviation, and what the measurements do not determine."""
    names = {"std": "Deviation of samples of", "null_space": "Null space of"}
    found = []
    for name, text in names.items():
        maps = [
            (f"{name}-{i}", f"{text} {label}", run.maps[name][indices])
            for i, (run, label) in enumerate(zip(runs, labels, strict=True))
            if name in run.maps
        ]
        found += _on_one_scale(runs[0], maps, [stack for _, _, stack in maps])
    return found


def _on_one_scale(
    run: Finished,
    maps: Sequence[tuple[str, str, np.ndarray]],
    scale_of: Sequence[np.ndarray],
) -> list[Picture]:
    """Return maps from 0 to the largest finite value of those that set the scale."""
    finite = [stack[np.isfinite(stack)] for stack in scale_of]
    top = max((float(values.max()) for values in finite if values.size), default=0.0)
    high = float(run.deviation(np.array(top or 1.0)))
    colours = figures.palette()
    return [
        _picture(key, label, run.deviation(stack), 0.0, high, colours)
        for key, label, stack in maps
    ]
