"""What a measurement file must hold, checked on its arrays.

Every function returns silently or raises a `ValueError` of one line that says what is
wrong, what is expected and what to do. Shapes as in `hdf5`.
"""

from collections.abc import Sequence

import numpy as np

RADIANS_MAX, RADIANS_VIEWS = 6.3, 3
"""Angles all within ±RADIANS_MAX of RADIANS_VIEWS or more views look like radians: a
whole turn is 6.28."""

ODD = 0.1
"""Shares of a mask and of k-space from which on they contradict each other."""

DC_MIN_SIZE, DC_SHARE, DC_RATIO = 32, 16, 4.0
"""k-space of at least DC_MIN_SIZE has DC elsewhere when its blocks of 1/DC_SHARE radius
there hold DC_RATIO times the energy of those where DC should be."""

DC_CORNERS = {
    (): "in the middle",
    (0, 1): "in the corners",
    (0,): "in the corner along h and in the middle along w",
    (1,): "in the middle along h and in the corner along w",
}
"""Axes of [h, w] along which DC lies at index 0 -> where the energy lies then."""


def present(required: Sequence[str], names: Sequence[str]) -> None:
    """Raise unless every required dataset is among the names."""
    missing = [name for name in required if name not in names]
    if missing:
        raise ValueError(
            f"has no dataset {_listed(missing)}, it has {_listed(names) or 'none'}; "
            f"datasets {_listed(required)} are needed: rename or add them."
        )


def kspace(values: np.ndarray) -> None:
    """Raise unless k-space is [n, (c,) h, w] complex, finite and not all zero."""
    if values.ndim not in (3, 4):
        raise ValueError(
            f"kspace must be [n, h, w] or [n, coils, h, w], got shape {values.shape}; "
            "add or remove an axis."
        )
    if not np.iscomplexobj(values):
        raise ValueError(
            f"kspace must be complex, got {values.dtype}; store real + 1j * imaginary."
        )
    _filled("kspace", values)
    _finite("kspace", values)
    _nonzero("kspace", values, "leave empty slices out.")


def mask(values: np.ndarray, measured: np.ndarray) -> None:
    """Raise unless the mask is [h, w] or [w], zeros and ones, and meets the data."""
    h, w = measured.shape[-2:]
    if values.shape not in ((h, w), (w,)):
        raise ValueError(
            f"mask must have shape ({h}, {w}) or ({w},) to match kspace, got "
            f"shape {values.shape}; one mask serves all slices and coils."
        )
    real("mask", values)
    _finite("mask", values)
    if not np.isin(values, (0, 1)).all():
        raise ValueError(
            "mask must hold zeros and ones only; store which positions were sampled."
        )
    if not values.any():
        raise ValueError("mask samples nothing; set sampled positions to 1.")
    _nonzero(
        "kspace",
        measured * values,
        "are mask and kspace in the same order, DC centred or in the corner?",
        where=" wherever mask is 1",
    )


def contradiction(values: np.ndarray, sampled: np.ndarray) -> str:
    """Return what is odd about a mask and the zeros of k-space; nothing if they fit.

    Padded k-space is zero within its mask, and full k-space is not outside of it: both
    at once are of a mask in another order, or of another scan.

    Args:
      values: [n, (c,) h, w] complex.
      sampled: mask [h, w] or [w], in the same order.
    """
    h, w = values.shape[-2:]
    there = np.any(values.reshape(-1, h, w), axis=0)
    seen = np.broadcast_to(sampled, (h, w)) > 0
    empty = 1 - there[seen].mean()
    missed = (there & ~seen).sum() / max(there.sum(), 1)
    if min(empty, missed) <= ODD:
        return ""
    return (
        f"{empty:.0%} of what mask says was sampled is zero in kspace, and of what is "
        f"there mask leaves out {missed:.0%}: are both of one scan, in one order?"
    )


def centre(values: np.ndarray, sampled: np.ndarray, *, centered: bool) -> None:
    """Raise if the energy of k-space lies where DC is not said to be.

    Args:
      values: [n, (c,) h, w] complex.
      sampled: mask [h, w] or [w], in the same order.
      centered: whether DC is said to lie at N//2 rather than in the corner.
    """
    h, w = values.shape[-2:]
    if min(h, w) < DC_MIN_SIZE:
        return
    seen = np.broadcast_to(sampled, (h, w))
    power = (np.abs(values.reshape(-1, h, w)) ** 2).sum(0) * seen
    said = () if centered else (0, 1)
    energies = {axes: _around_dc(power, axes).sum() for axes in DC_CORNERS}
    found = max(DC_CORNERS, key=lambda axes: energies[axes])
    if not _around_dc(seen, said).any():
        return
    if energies[found] <= DC_RATIO * energies[said]:
        return
    raise ValueError(
        f"kspace should have DC {'at N//2' if centered else 'in the corner'}, but "
        f"its energy lies {DC_CORNERS[found]}; {_remedy(found, centered=centered)}."
    )


def _around_dc(values: np.ndarray, in_corner: tuple[int, ...]) -> np.ndarray:
    """Return the block [h, w] around DC, which lies at index 0 along those axes."""
    shifted = np.fft.fftshift(values, in_corner)
    reach = (
        slice(n // 2 - n // DC_SHARE, n // 2 + n // DC_SHARE + 1) for n in shifted.shape
    )
    return shifted[*reach]


def _remedy(found: tuple[int, ...], *, centered: bool) -> str:
    """Return what to do about DC that lies at index 0 along those axes only."""
    if len(found) != 1:
        wanted = str(not centered).lower()
        return f"set centered to {wanted} (--{'no' * centered}centered), or shift it"
    wrong = found[0] if centered else 1 - found[0]
    shift = "fftshift" if centered else "ifftshift"
    return f"apply {shift} along {'hw'[wrong]} (axis {wrong - 2})"


def sensitivity_maps(values: np.ndarray | None, shape: tuple[int, ...]) -> None:
    """Raise unless the maps are absent or [(n,) c, h, w] as k-space of that shape."""
    if values is None:
        return
    if len(shape) == 3:
        raise ValueError(
            f"kspace of shape {shape} has no coil axis but there are sensitivity_maps; "
            "store kspace as [n, coils, h, w] or drop the maps."
        )
    if values.shape not in (shape, shape[1:]):
        raise ValueError(
            f"sensitivity_maps must have shape {shape[1:]} or {shape} to match kspace, "
            f"got shape {values.shape}; check the number of coils, and that there "
            "is one set of maps."
        )
    _numeric("sensitivity_maps", values)
    _finite("sensitivity_maps", values)
    each = values if values.ndim == 4 else values[None]
    remedy = "estimate them again, or leave the slice out."
    _nonzero("sensitivity_maps", each, remedy, unit="set")


def sinogram(values: np.ndarray) -> None:
    """Raise unless the sinogram is [n, v, d] real, finite and not all zero."""
    if values.ndim != 3:
        raise ValueError(
            f"sinogram must be [n, views, detectors], got shape {values.shape}; add or "
            "remove an axis."
        )
    real("sinogram", values)
    _filled("sinogram", values)
    _finite("sinogram", values)
    _nonzero("sinogram", values, "leave empty slices out.")


def angles(values: np.ndarray, n_views: int) -> None:
    """Raise unless there is one finite angle a view, in degrees by its looks."""
    if values.shape != (n_views,):
        raise ValueError(
            f"angles_deg must have shape ({n_views},), one angle a view of sinogram "
            f"[n, views, detectors], got shape {values.shape}; is sinogram transposed?"
        )
    real("angles_deg", values)
    _finite("angles_deg", values)
    if n_views >= RADIANS_VIEWS and np.abs(values).max() <= RADIANS_MAX:
        raise ValueError(
            f"angles_deg must be in degrees, but {n_views} angles up to "
            f"{np.abs(values).max():.3g} look like radians; multiply them by 180/pi, "
            "or add 360 if they are degrees all the same."
        )


def reference(values: np.ndarray | None, shape: tuple[int, int, int]) -> None:
    """Raise unless the reference is absent or of that shape, numeric and finite."""
    if values is None:
        return
    if values.shape != shape:
        raise ValueError(
            f"reference must have shape {shape} to match the measurements, got "
            f"shape {values.shape}; crop or pad it, or leave it out."
        )
    _numeric("reference", values)
    _finite("reference", values)
    if not values.any():
        raise ValueError("reference is zero throughout; leave it out.")


def real(name: str, values: np.ndarray | None) -> None:
    """Raise unless the array is absent or holds booleans, integers or real floats."""
    if values is not None and values.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must be real numbers, got {values.dtype}; convert it."
        )


def flag(name: str, value: object) -> bool:
    """Return a true-or-false attribute.

    Raises:
      ValueError: if the value is neither a boolean nor 0 or 1.
    """
    if isinstance(value, bool | np.bool_ | int | np.integer) and value in (0, 1):
        return bool(value)
    raise ValueError(f"attribute {name} must be true or false, got {value!r}.")


def scale(value: object) -> float | None:
    """Return the scale attribute; None if the file has none.

    Raises:
      ValueError: if the value is not a positive finite number.
    """
    if value is None:
        return None
    array = np.asarray(value)
    if array.shape in ((), (1,)) and array.dtype.kind in "iuf":
        number = float(array.ravel()[0])
        if np.isfinite(number) and number > 0:
            return number
    raise ValueError(
        f"attribute scale must be one positive number, got {value!r}; leave it out to "
        "have it estimated (MRI) or taken as 1 (CT)."
    )


def _numeric(name: str, values: np.ndarray) -> None:
    if values.dtype.kind not in "biufc":
        raise ValueError(f"{name} must be numbers, got {values.dtype}; convert it.")


def _filled(name: str, values: np.ndarray) -> None:
    if values.size == 0:
        raise ValueError(f"{name} is empty, shape {values.shape}; write it again.")


def _finite(name: str, values: np.ndarray) -> None:
    bad = int(values.size - np.isfinite(values).sum())
    if bad:
        raise ValueError(
            f"{name} holds {bad} NaN or infinite values of {values.size}; replace them "
            "or leave their slices out."
        )


def _nonzero(
    name: str, values: np.ndarray, remedy: str, unit: str = "slice", where: str = ""
) -> None:
    """Raise if an entry of the first axis is zero throughout."""
    empty = np.flatnonzero(~values.any(tuple(range(1, values.ndim))))
    if len(empty):
        raise ValueError(
            f"{name} of {unit} {empty[0]} is all zero{where}, in shape "
            f"{values.shape[1:]}; {remedy}"
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
