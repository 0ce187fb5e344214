"""Grids that lie askew in the patient, and readers that know nothing of ours."""

import numpy as np
import SimpleITK
from scipy.spatial.transform import Rotation

SHAPE = (3, 4, 5)
SPACING = np.array([0.8, 1.1, 2.5])


def oblique_ras(*, flip=False, spacing=SPACING):
    """Return NIfTI's affine of a rotated grid, with `flip` a left-handed one."""
    axes = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix() * spacing
    if flip:
        axes[:, 2] *= -1
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = axes, (-31.5, 12.25, 70.0)
    return affine


def values(shape=SHAPE, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def sitk_image(path):
    """Read a file, or a folder of a DICOM series, by SimpleITK."""
    if path.is_dir():
        names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(path))
        return SimpleITK.ReadImage(names)
    return SimpleITK.ReadImage(str(path))


def at(image, lps):
    """Return the value of a SimpleITK image at points [..., 3] in the patient."""
    flat = np.asarray(lps, float).reshape(-1, 3)
    indices = [image.TransformPhysicalPointToIndex(point.tolist()) for point in flat]
    found = [image.GetPixel(index) for index in indices]
    return np.array(found).reshape(lps.shape[:-1])


def points(affine_lps, shape=SHAPE):
    """Return [n, h, w, 3], the voxels' centres by the affine of (w, h, n)."""
    n, h, w = np.indices(shape)
    return np.stack([w, h, n], -1) @ affine_lps[:3, :3].T + affine_lps[:3, 3]
