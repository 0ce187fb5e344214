"""Images of several methods side by side, each with a zoom, above their errors."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from matplotlib import axes, figure
from scipy import ndimage

from mgdm_jax import figures, metrics

ZOOM = 4
"""The zoomed square is 1 / ZOOM of the image wide."""

TILE_INCHES = 1.9


def comparison(
    reference: np.ndarray, stacks: Mapping[str, np.ndarray]
) -> figure.Figure:
    """Return two rows a slice: images with a zoomed square, and absolute errors.

    Args:
      reference: [n, h, w] or [n, h, w, 2], operator units.
      stacks: name -> images of the same shape.
    """
    truth = figures.magnitude(reference)
    columns = {name: figures.magnitude(images) for name, images in stacks.items()}
    errors = {name: np.abs(images - truth) for name, images in columns.items()}
    # One method that falls apart must not darken the errors of the others.
    top = min(float(np.percentile(error, 99.5)) for error in errors.values())
    size = (TILE_INCHES * (1 + len(columns)), 2.2 * TILE_INCHES * len(truth))
    fig = figure.Figure(size, layout="compressed")
    grid = fig.subplots(2 * len(truth), 1 + len(columns), squeeze=False)
    for ax in grid.ravel():
        ax.set_axis_off()
    for i, image in enumerate(truth):
        corner = busiest(image, image.shape[0] // ZOOM)
        _show(grid[2 * i, 0], image, "reference", corner)
        for column, (name, images) in enumerate(columns.items(), start=1):
            score = metrics.score(jnp.asarray(image), jnp.asarray(images[i]))
            title = f"{name}\n{float(score.psnr):.2f} dB, {float(score.ssim):.3f}"
            _show(grid[2 * i, column], images[i], title, corner)
            drawn = grid[2 * i + 1, column].imshow(
                errors[name][i], "inferno", vmin=0, vmax=top
            )
    fig.colorbar(
        drawn, ax=grid[:, -1], label="absolute error", shrink=0.6, extend="max"
    )
    return fig


def busiest(image: np.ndarray, size: int) -> tuple[int, int]:
    """Return the corner (row, column) of the square with the most edges in it.

    A fifth of the image on each side is left out: skull and skin, or the table.
    """
    gradient = np.hypot(*np.gradient(image)) ** 2
    mean = ndimage.uniform_filter(gradient, size, mode="constant")
    margin = image.shape[0] // 5
    corners = slice(margin + size // 2, image.shape[0] - margin - size + size // 2 + 1)
    mean = mean[corners, corners]
    row, column = np.unravel_index(np.argmax(mean), mean.shape)
    return int(row) + margin, int(column) + margin


def _show(
    ax: axes.Axes, image: np.ndarray, title: str, corner: tuple[int, int]
) -> None:
    """Draw an image, and at its bottom, on the other side, the square at `corner`."""
    ax.imshow(image, "gray", vmin=0, vmax=1)
    ax.set_title(title, fontsize="small")
    size = image.shape[0] // ZOOM
    row, column = corner
    left = 0.0 if column + size / 2 > image.shape[1] / 2 else 0.58
    inset = ax.inset_axes((left, 0.0, 0.42, 0.42))
    square = image[row : row + size, column : column + size]
    extent = (column - 0.5, column + size - 0.5, row + size - 0.5, row - 0.5)
    inset.imshow(square, "gray", vmin=0, vmax=1, extent=extent)
    inset.set_xticks([])
    inset.set_yticks([])
    inset.spines[:].set_color("yellow")
    ax.indicate_inset_zoom(inset, edgecolor="yellow")
