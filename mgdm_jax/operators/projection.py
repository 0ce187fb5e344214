"""The matrix of a parallel-beam scan in scikit-image's geometry, on the host.

The image is rotated about pixel (N//2, N//2) with bilinear weights and its columns are
summed; pixels outside the inscribed circle count as zero.
"""

import numpy as np
import scipy.sparse
import scipy.sparse.linalg


def matrix(angles: np.ndarray, size: int) -> scipy.sparse.csr_array:
    """Return R, float64 [v · size, size²], in pixel units; angles in radians."""
    views = [_view_matrix(angle, size) for angle in angles]
    inside = scipy.sparse.dia_array(
        (inscribed_circle(size).astype(np.float64).reshape(1, -1), [0]),
        shape=(size**2, size**2),
    )
    projections = scipy.sparse.csr_array(scipy.sparse.vstack(views) @ inside)
    projections.eliminate_zeros()
    return projections


def inscribed_circle(size: int) -> np.ndarray:
    """Return [size, size] bool, True within size//2 of pixel (size//2, size//2)."""
    offset = np.arange(size) - size // 2
    return offset[:, None] ** 2 + offset[None] ** 2 <= (size // 2) ** 2


def _view_matrix(angle: float, size: int) -> scipy.sparse.csr_array:
    """Return one view [size, size²]: rotate bilinearly, sum over rotated rows."""
    cosine, sine, centre = np.cos(angle), np.sin(angle), size // 2
    row, col = np.mgrid[:size, :size] - centre
    source_col = cosine * col + sine * row + centre
    source_row = cosine * row - sine * col + centre
    low_row, low_col = np.floor(source_row), np.floor(source_col)
    parts = []
    for r in (low_row, low_row + 1):
        for c in (low_col, low_col + 1):
            weight = (1 - np.abs(source_row - r)) * (1 - np.abs(source_col - c))
            kept = (r >= 0) & (r < size) & (c >= 0) & (c < size) & (weight > 0)
            pixel = (r * size + c)[kept].astype(np.int32)
            parts.append((weight[kept], (col[kept] + centre).astype(np.int32), pixel))
    weight, detector, pixel = (np.concatenate(p) for p in zip(*parts, strict=True))
    shape = (size, size**2)
    return scipy.sparse.csr_array((weight, (detector, pixel)), shape=shape)


def spectral_norm(a: scipy.sparse.csr_array) -> float:
    """Return ‖A‖ in float64; Lanczos from a fixed start, so always the same bits."""
    start = np.ones(min(a.shape))  # type: ignore[arg-type]
    largest = scipy.sparse.linalg.svds(a, k=1, v0=start, return_singular_vectors=False)
    return float(np.max(np.asarray(largest)))
