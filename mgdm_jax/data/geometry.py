"""Where the voxels of a grid [n, h, w] lie in the patient.

Coordinates are DICOM's and ITK's, LPS: millimetres towards the patient's left,
posterior and superior. NIfTI's, RAS, differ in the signs of the first two, and
`flipped` is the one place where they change.

Axes: w counts the columns of an image (NIfTI's i, DICOM's column index), h its rows (j,
the row index), n the slices (k). An array is thus what SimpleITK's `GetArrayFromImage`
gives of a file, and the transpose of what nibabel gives.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

UNEVEN = 0.05
"""Share of the step by which a slice may be off an even spacing.

Positions that scanners round to 0.1 mm are off by 4 % of 1.25 mm.
"""

OBLIQUE = 1e-3
"""Cosine between two axes from which they are not at right angles."""

SCANNER = 1
"""NIfTI's code of coordinates in the scanner, as DICOM's are."""


@dataclasses.dataclass(frozen=True)
class Geometry:
    """A grid in the patient.

    Attributes:
      affine: [4, 4] float64, voxel (w, h, n, 1) -> its centre (left, posterior,
        superior, 1) in mm.
      shape: (n, h, w).
      thickness_mm: of a slice; less than the step between slices where there are gaps.
      space: NIfTI's xform code: what the coordinates refer to.
      identity: DICOM attributes by keyword that say whose grid it is: patient, study,
        frame of reference.

    Raises:
      ValueError: if two axes of the grid coincide, or a coordinate is not finite.
    """

    affine: np.ndarray
    shape: tuple[int, int, int]
    thickness_mm: float
    space: int = SCANNER
    identity: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        lengths = self.spacing
        if not np.isfinite(self.affine).all() or not (lengths > 0).all():
            raise ValueError("its voxels have no finite position and size in mm.")
        if abs(np.linalg.det(self.affine[:3, :3] / lengths)) < OBLIQUE:
            raise ValueError("two axes of its grid point the same way.")

    @property
    def spacing(self) -> np.ndarray:
        """[3] mm from voxel to voxel along w, h, n."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def directions(self) -> np.ndarray:
        """[3, 3] unit vectors along w, h, n in its columns."""
        return self.affine[:3, :3] / self.spacing

    @property
    def normal(self) -> np.ndarray:
        """[3] unit vector w × h, along which DICOM's readers sort slices."""
        return normal(self.directions[:, 0], self.directions[:, 1])

    @property
    def has_right_angles(self) -> bool:
        """Whether all three axes are at right angles, as a rotation's are."""
        cosines = self.directions.T @ self.directions
        return bool(np.abs(cosines - np.eye(3)).max() < OBLIQUE)

    def origin(self, n: int) -> np.ndarray:
        """Return [3], the centre of the first voxel of a slice."""
        return self.affine[:3, 3] + n * self.affine[:3, 2]

    def cropped(self, size: tuple[int, int]) -> "Geometry":
        """Return the grid of images cropped, or padded, to (h, w) as by `resize`."""
        n, *have = self.shape
        first_h, first_w = (a // 2 - b // 2 for a, b in zip(have, size, strict=True))
        moved = self.affine.copy()
        moved[:, 3] = self.affine @ (first_w, first_h, 0, 1)
        return dataclasses.replace(self, affine=moved, shape=(n, *size))


def flipped(affine: np.ndarray) -> np.ndarray:
    """Return an affine [4, 4] of LPS coordinates for RAS, and the reverse."""
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def normal(along_w: np.ndarray, along_h: np.ndarray) -> np.ndarray:
    """Return the unit vector at right angles to rows and columns.

    Raises:
      ValueError: if there is none.
    """
    product = np.cross(along_w, along_h)
    length = np.linalg.norm(product)
    if not length > 0:
        raise ValueError("its rows and columns span no plane.")
    return product / length


def slice_step(origins: np.ndarray, lone: np.ndarray) -> np.ndarray:
    """Return the vector from slice to slice, [3] mm.

    Args:
      origins: [n, 3] of the slices in their order.
      lone: the step if there is one slice only.

    Raises:
      ValueError: if two slices lie in one place, or they are not evenly spaced.
    """
    if len(origins) == 1:
        return lone
    step = (origins[-1] - origins[0]) / (len(origins) - 1)
    even = origins[0] + np.arange(len(origins))[:, None] * step
    off = np.linalg.norm(origins - even, axis=1).max()
    gaps = np.linalg.norm(np.diff(origins, axis=0), axis=1)
    if gaps.min() < 1e-3:
        raise ValueError(
            "two of its slices lie in the same place; give one volume of a series."
        )
    if off > UNEVEN * np.linalg.norm(step):
        raise ValueError(
            f"its slices are not evenly spaced ({gaps.min():.4g} to {gaps.max():.4g} mm"
            "); a slice may be missing."
        )
    return step


def affine(
    origin: np.ndarray, along_w: np.ndarray, along_h: np.ndarray, step: np.ndarray
) -> np.ndarray:
    """Return [4, 4] of the first voxel's centre and the vectors to its neighbours."""
    made = np.eye(4)
    made[:3] = np.stack([along_w, along_h, step, origin], axis=1)
    return made


def right_handed(grid: Geometry, images: np.ndarray) -> tuple[Geometry, np.ndarray]:
    """Return grid and images [n, h, w] with slices along `grid.normal`.

    Every voxel stays where it is; the slices are reversed if they ran against it.
    """
    if grid.affine[:3, 2] @ grid.normal > 0:
        return grid, images
    turned = grid.affine.copy()
    turned[:3, 3] = grid.origin(grid.shape[0] - 1)
    turned[:3, 2] = -turned[:3, 2]
    return dataclasses.replace(grid, affine=turned), images[::-1]
