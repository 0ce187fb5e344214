"""Panels and grids of images; the one home of matplotlib.

Figures are plain `matplotlib.figure.Figure` objects (Agg, no pyplot, no global
state): write them with `figure.savefig(path)`. Images are NumPy arrays in operator
units, [h, w] or [h, w, 2] shown by magnitude.
"""

import math
from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from matplotlib import axes, colormaps, figure

from mgdm_jax import evenly, metrics

Window = tuple[float, float]
"""The values shown black and white, in operator units."""

FULL_WINDOW: Window = (0.0, 1.0)
TILE_INCHES = 2.2


def hounsfield_window(centre: float, width: float) -> Window:
    """Return a CT window given in HU in operator units, (HU + 1024) / 2048.

    Usual ones: soft tissue (40, 400), lung (-600, 1500), bone (400, 1800).

    Raises:
      ValueError: if `width` is not positive.
    """
    if width <= 0:
        raise ValueError(f"width must be positive, got {width} HU.")
    low, high = centre - width / 2, centre + width / 2
    return (low + 1024) / 2048, (high + 1024) / 2048


def panel(
    reference: np.ndarray,
    baseline: np.ndarray,
    reconstruction: np.ndarray,
    *,
    labels: tuple[str, str, str] = ("Reference", "Baseline", "Reconstruction"),
    row_labels: Sequence[str] = (),
    window: Window = FULL_WINDOW,
    error_max: float | None = None,
    note: str = "",
) -> figure.Figure:
    """Return rows of reference, baseline, reconstruction and its absolute error.

    PSNR and SSIM stand above the images; the error maps share one scale.

    Args:
      reference: [n, h, w] or [n, h, w, 2].
      baseline: same shape; zero-filled or filtered back-projection, say.
      reconstruction: same shape.
      labels: names of the three columns.
      row_labels: one name a row, or none.
      window: values shown black and white.
      error_max: top of the error scale; None is the largest error shown.
      note: a line below the images: what is simulated, say.

    Raises:
      ValueError: if the shapes differ, or the number of row labels does.
    """
    _check_panel((reference, baseline, reconstruction), row_labels)
    stacks = [magnitude(stack) for stack in (reference, baseline, reconstruction)]
    top = np.abs(stacks[2] - stacks[0]).max() if error_max is None else error_max
    fig, grid = _subplots(len(reference))
    for row, images in zip(grid, zip(*stacks, strict=True), strict=True):
        error = _show_row(row, images, labels, window, (0.0, float(top)))
    for row, label in zip(grid, row_labels, strict=False):
        row[0].set_ylabel(label)
    fig.colorbar(error, ax=grid[:, 3], label="absolute error (operator units)")
    text = f"{note}  PSNR and SSIM: {metrics.CONVENTION}".strip()
    fig.supxlabel(text, size="small", parse_math=False)  # there may be $ in a path
    return fig


def maps(stacks: Mapping[str, np.ndarray], *, most: int = 4) -> figure.Figure:
    """Return a row an image and a column a stack, deviations on scales of their own.

    Args:
      stacks: name -> [n, h, w] or [n, h, w, 2]; "mean" and "baseline" share the window
        of images, every other one has a colour bar.
      most: images shown, evenly spaced.
    """
    columns = {name: magnitude(stack) for name, stack in stacks.items()}
    n = len(next(iter(columns.values())))
    shown = evenly.spaced(n, most)
    size = 1.15 * len(columns) * TILE_INCHES, len(shown) * 1.2 * TILE_INCHES
    fig = figure.Figure(size, layout="compressed")
    grid = fig.subplots(len(shown), len(columns), squeeze=False)
    for axes_column, (name, stack) in zip(grid.T, columns.items(), strict=True):
        is_image = name in ("mean", "baseline")
        top = np.max(stack[shown], where=np.isfinite(stack[shown]), initial=0.0)
        window = FULL_WINDOW if is_image else (0.0, float(top))
        cmap = "gray" if is_image else "inferno"
        for ax, index in zip(axes_column, shown, strict=True):
            drawn = _show(ax, stack[index], name, window, cmap)
        if not is_image:
            fig.colorbar(drawn, ax=axes_column, shrink=0.8)
    return fig


def sample_grid(
    images: np.ndarray, *, columns: int = 8, window: Window = FULL_WINDOW
) -> figure.Figure:
    """Return unlabelled images side by side, row after row.

    Args:
      images: [n, h, w] or [n, h, w, 2].
      columns: images a row.
      window: values shown black and white.

    Raises:
      ValueError: if `images` is not a stack or `columns` < 1.
    """
    if columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}.")
    shown = magnitude(images)
    columns = min(columns, len(shown))
    rows = math.ceil(len(shown) / columns)
    fig = figure.Figure((columns * TILE_INCHES / 2, rows * TILE_INCHES / 2))
    fig.subplots_adjust(0, 0, 1, 1, 0.02, 0.02)
    grid = fig.subplots(rows, columns, squeeze=False).ravel()
    for ax in grid:
        ax.set_axis_off()
    for ax, image in zip(grid, shown, strict=False):
        _show(ax, image, "", window)
    return fig


def palette() -> bytes:
    """Return the 256 colours of error maps, red, green and blue in turn."""
    colours = colormaps["inferno"](np.arange(256), bytes=True)
    return np.ascontiguousarray(colours[:, :3]).tobytes()


def magnitude(images: np.ndarray) -> np.ndarray:
    """Return real images [n, h, w] as they are, complex or [n, h, w, 2] by magnitude.

    Raises:
      ValueError: if the images have neither shape, or there is none.
    """
    if np.iscomplexobj(images):
        images = np.abs(images)
    if images.ndim == 4 and images.shape[-1] == 2:
        images = np.hypot(images[..., 0], images[..., 1])
    if images.ndim != 3 or len(images) == 0:
        raise ValueError(
            f"images must be [n, h, w] or [n, h, w, 2], n ≥ 1, got {images.shape}."
        )
    return images


def _check_panel(stacks: Sequence[np.ndarray], row_labels: Sequence[str]) -> None:
    """Raise unless all stacks share a shape and each row has its label."""
    if len({stack.shape for stack in stacks}) > 1:
        shapes = ", ".join(str(stack.shape) for stack in stacks)
        raise ValueError(f"the three stacks must have one shape, got {shapes}.")
    if row_labels and len(row_labels) != len(stacks[0]):
        raise ValueError(
            f"row_labels must name {len(stacks[0])} rows, got {len(row_labels)}."
        )


def _subplots(n_rows: int) -> tuple[figure.Figure, np.ndarray]:
    """Return a figure and its axes [n_rows, 4]."""
    size = 4.4 * TILE_INCHES, n_rows * 1.2 * TILE_INCHES
    fig = figure.Figure(size, layout="compressed")
    return fig, fig.subplots(n_rows, 4, squeeze=False)


def _show_row(
    row: Sequence[axes.Axes],
    images: Sequence[np.ndarray],
    labels: Sequence[str],
    window: Window,
    error_window: Window,
):
    """Draw the reference, both images under their scores, and the last one's error."""
    _show(row[0], images[0], labels[0], window)
    for column in (1, 2):
        title = f"{labels[column]}\n{_scores(images[0], images[column])}"
        _show(row[column], images[column], title, window)
    error, title = np.abs(images[2] - images[0]), f"|{labels[2]} - {labels[0]}|"
    return _show(row[3], error, title, error_window, "inferno")


def _show(ax: axes.Axes, image: np.ndarray, title: str, window: Window, cmap="gray"):
    """Draw one image without ticks; return the artist, for a colour bar."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title(title, fontsize="small")
    low, high = window
    return ax.imshow(image, cmap, vmin=low, vmax=high, interpolation="nearest")


def _scores(reference: np.ndarray, estimate: np.ndarray) -> str:
    scores = metrics.score(jnp.asarray(reference), jnp.asarray(estimate))
    return f"{float(scores.psnr):.2f} dB, SSIM {float(scores.ssim):.3f}"
