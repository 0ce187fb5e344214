"""Maps and curves of a sweep's table; figures as in `figures`."""

from collections.abc import Mapping

import numpy as np
from matplotlib import axes, figure, ticker

MEASURES = {"psnr_mean": "PSNR / dB", "ssim_mean": "SSIM", "merit": "merit"}
"""Columns that are drawn, but of NaN alone, and their titles; more is better."""

SYMBOLS = {
    "zeta": r"$\zeta$",
    "lam": r"$\lambda$",
    "rho": r"$\rho$",
    "eta": r"$\eta$",
    "n_steps": "steps",
}
"""Columns that a sweep varies -> how figures call them."""

INCHES = 4.6
MOST_LABELLED = 60
"""Cells of a map that have their value written in."""

Columns = Mapping[str, np.ndarray]
"""Column of the table -> [s]."""


def heat_map(columns: Columns, x: str, y: str, note: str = "") -> figure.Figure:
    """Return the measures over two numbers, each the best over the others.

    A grid becomes cells, anything else points.

    Args:
      columns: of the table.
      x: number along the horizontal axis, "zeta" say.
      y: number along the vertical axis.
      note: a line below.
    """
    measures = _measured(columns)
    fig, grid = _subplots(len(measures), note)
    xs, ys = np.unique(columns[x]), np.unique(columns[y])
    for ax, (measure, title) in zip(grid, measures.items(), strict=True):
        cells, is_grid = _best_cells(columns, x, y, measure)
        if is_grid:
            drawn, title = _cells(ax, cells, xs, ys), f"{title}, best over the rest"
        else:
            drawn = _points(ax, columns, x, y, measure)
        ax.set(title=title, xlabel=SYMBOLS[x], ylabel=SYMBOLS[y])
        fig.colorbar(drawn, ax=ax)
    return fig


def sensitivity(columns: Columns, name: str, note: str = "") -> figure.Figure:
    """Return the measures over one number: the best over the others, and around it.

    The second curve holds the others at the best row's values, where the table has
    such rows.

    Args:
      columns: of the table.
      name: the number, "eta" or "n_steps" say.
      note: a line below.
    """
    measures = _measured(columns)
    fig, grid = _subplots(len(measures), note)
    top = np.argmax(columns["merit"])
    others = [k for k in SYMBOLS if k != name]
    beside = np.all([columns[k] == columns[k][top] for k in others], axis=0)
    for ax, (measure, title) in zip(grid, measures.items(), strict=True):
        ax.plot(columns[name], columns[measure], ".", color="0.6", label="candidates")
        values = np.unique(columns[name])
        if len(values) < len(columns[name]):
            each = (columns[measure][columns[name] == v] for v in values)
            best = [np.fmax.reduce(candidates) for candidates in each]
            ax.plot(values, best, "o-", label="best over the rest")
        if beside.sum() > 1:
            order = np.argsort(columns[name][beside])
            curve = [columns[k][beside][order] for k in (name, measure)]
            ax.plot(*curve, "s--", label="rest as in the best row")
        if name in ("zeta", "lam", "rho") and values[0] > 0:
            _logarithmic(ax, "x")
        ax.set(xlabel=SYMBOLS[name], ylabel=title)
        ax.grid(alpha=0.3)
    grid[0].legend(fontsize="small")
    return fig


def _measured(columns: Columns) -> dict[str, str]:
    """Return the measures that there are; PSNR is its own merit."""
    repeated = {"merit"} if (columns["merit"] == columns["psnr_mean"]).all() else set()
    return {
        name: title
        for name, title in MEASURES.items()
        if name not in repeated and np.isfinite(columns[name]).any()
    }


def _subplots(n: int, note: str) -> tuple[figure.Figure, np.ndarray]:
    fig = figure.Figure((n * INCHES, 0.85 * INCHES), layout="compressed")
    fig.supxlabel(note, size="small", parse_math=False)  # there may be $ in a path
    return fig, fig.subplots(1, n, squeeze=False)[0]


def _best_cells(
    columns: Columns, x: str, y: str, measure: str
) -> tuple[np.ndarray, bool]:
    """Return [y, x] the largest value of each pair, and whether all have a row.

    It is NaN where no row of the pair is finite: there all diverged.
    """
    xs, column = np.unique(columns[x], return_inverse=True)
    ys, row = np.unique(columns[y], return_inverse=True)
    cells = np.full((len(ys), len(xs)), np.nan)
    np.fmax.at(cells, (row, column), _finite(columns[measure]))
    return cells, len(set(zip(row, column, strict=True))) == cells.size


def _finite(values: np.ndarray) -> np.ndarray:
    """Return the values, NaN for those that are infinite."""
    return np.where(np.isfinite(values), values, np.nan)


def _cells(ax: axes.Axes, cells: np.ndarray, xs: np.ndarray, ys: np.ndarray):
    """Draw a grid, evenly spaced whatever its values, grey where there is none."""
    ax.set_facecolor("0.7")
    drawn = ax.imshow(cells, "viridis", origin="lower", aspect="auto")
    ax.set_xticks(range(len(xs)), [f"{v:.4g}" for v in xs])
    ax.set_yticks(range(len(ys)), [f"{v:.4g}" for v in ys])
    if cells.size <= MOST_LABELLED:
        middle = (np.nanmin(cells) + np.nanmax(cells)) / 2
        for (row, column), value in np.ndenumerate(cells):
            ax.text(
                column,
                row,
                "diverged" if np.isnan(value) else f"{value:.4g}",
                ha="center",
                va="center",
                size="small",
                color="black" if value > middle else "white",
            )
    return drawn


def _points(ax: axes.Axes, columns: Columns, x: str, y: str, measure: str):
    """Draw candidates that form no grid, the best on top; return the artist."""
    # NaN, which sorts last, is first when turned around.
    order = np.argsort(-_finite(columns[measure]))[::-1]
    xs, ys, values = (columns[k][order] for k in (x, y, measure))
    values = _finite(values)
    for axis, least in (("x", xs.min()), ("y", ys.min())):
        if least > 0:
            _logarithmic(ax, axis)
    gone = np.isnan(values)
    ax.plot(xs[gone], ys[gone], "x", color="0.5")  # diverged
    drawn = ax.scatter(xs, ys, 30, values, cmap="viridis")
    ax.plot(xs[-1], ys[-1], "o", mec="red", mfc="none", ms=11)
    return drawn


def _logarithmic(ax: axes.Axes, name: str) -> None:
    """Make an axis logarithmic, with labels that do not run into each other."""
    ax.set(**{f"{name}scale": "log"})
    axis = ax.xaxis if name == "x" else ax.yaxis
    axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(ticker.NullFormatter())
