"""Re-create the source volumes of the embedded sample from published packages.

Put these archives into one folder, then run the script there (needs SimpleITK):

    pip download --no-deps nilearn==0.14.1
    pip download --no-deps --no-build-isolation --no-binary :all: \
        pyradiomics==3.0.1 TotalSegmentator==2.18.0 pycortex==1.2.12
    apt-get download mricron-data                       # 1.2.20211006
    apt-get source --download-only insighttoolkit5      # 5.2.1, a deb-src line
    python experiments/rebuild_volumes.py --packages FOLDER --output FOLDER

It writes `brain_t1.h5` (240×240, uint8) and `chest_ct.h5` (320×320, int16 HU), which
`experiments/build_sample.py` halves. Each volume is read, oriented to LPS, smoothed
where the target's voxel is larger than the source's and resampled linearly. The grid
is centred on the volume in the plane and starts at its lowest voxel along z.
"""

import argparse
import pathlib
import subprocess
import tarfile
import tempfile
import zipfile
from typing import NamedTuple

import h5py
import numpy as np
import SimpleITK as sitk  # pyright: ignore[reportMissingImports]


class Recipe(NamedTuple):
    """Where a volume comes from and how it is cut.

    Attributes:
      name: split and subject.
      archive: glob pattern of the package's file.
      member: end of the scan's path inside it.
      first: slice of the grid that is kept first: above the eyes.
      n: number of slices kept.
      slice_mm: their distance.
      white: source intensity stored as 255 (99.5th percentile of the head); CT: 0.
      source: attribute of the dataset: package, version, path, licence.
    """

    name: str
    archive: str
    member: str
    first: int
    n: int
    slice_mm: float
    white: float
    source: str


BRAINS = (
    Recipe(
        "train/s1",
        "pycortex-1.2.12.tar.gz",
        "filestore/db/S1/anatomicals/raw.nii.gz",
        *(112, 80, 1.0, 163.0),
        "pycortex 1.2.12 sdist, filestore/db/S1/anatomicals/raw.nii.gz; BSD-2-Clause",
    ),
    Recipe(
        "train/itk_mprage",
        "insighttoolkit5_5.2.1.orig.tar.xz",
        ".ExternalData/MD5/12bfc6e2177c40062ad9a7aa404b2444",
        *(138, 78, 1.0, 454.8024),
        "Debian source package insighttoolkit5 5.2.1, "
        ".ExternalData/MD5/12bfc6e2177c40062ad9a7aa404b2444 (LegacyMultiFrame.dcm); "
        "Apache-2.0",
    ),
    Recipe(
        "train/mni152",
        "nilearn-0.14.1-*.whl",
        "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz",
        *(22, 128, 1.0, 233.5),
        "nilearn 0.14.1 wheel, "
        "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz; averaged "
        "template, skull-stripped; MNI notice in nilearn "
        "datasets/description/icbm152_2009.rst",
    ),
    Recipe(
        "test/colin27",
        "mricron-data_1.2.20211006*.deb",
        "templates/ch2.nii.gz",
        *(58, 92, 1.0, 185.25),
        "Debian package mricron-data 1.2.20211006+dfsg-4, templates/ch2.nii.gz; one "
        "person, 27 scans averaged; BSD-3-Clause (package)",
    ),
)
CHESTS = (
    Recipe(
        "train/lung1",
        "pyradiomics-3.0.1.tar.gz",
        "data/lung1_image.nrrd",
        *(0, 48, 5.0, 0.0),
        "pyradiomics 3.0.1 sdist, data/lung1_image.nrrd; BSD-3-Clause (package)",
    ),
    Recipe(
        "train/totalsegmentator",
        "totalsegmentator-2.18.0.tar.gz",
        "tests/reference_files/aorta_report/example_ct.nii.gz",
        *(0, 96, 3.0, 0.0),
        "TotalSegmentator 2.18.0 sdist, "
        "tests/reference_files/aorta_report/example_ct.nii.gz; Apache-2.0 (package); "
        "native 1.5 mm",
    ),
    Recipe(
        "test/lung2",
        "pyradiomics-3.0.1.tar.gz",
        "data/lung2_image.nrrd",
        *(0, 61, 5.0, 0.0),
        "pyradiomics 3.0.1 sdist, data/lung2_image.nrrd; BSD-3-Clause (package)",
    ),
)
LAYOUT = "[slice, row (anterior first), column (patient right first)]"


def extract(packages: pathlib.Path, recipe: Recipe, folder: str) -> pathlib.Path:
    """Return the path of the scan, taken out of its archive into `folder`.

    Raises:
      FileNotFoundError: if the archive, or the scan in it, is missing.
    """
    found = sorted(packages.glob(recipe.archive))
    if not found:
        raise FileNotFoundError(f"{recipe.archive} is not in {packages}.")
    target = pathlib.Path(folder) / pathlib.Path(recipe.member).name
    if found[0].suffix == ".whl":
        with zipfile.ZipFile(found[0]) as wheel:
            (name,) = [n for n in wheel.namelist() if n.endswith(recipe.member)]
            target.write_bytes(wheel.read(name))
        return target
    if found[0].suffix == ".deb":
        command = ["dpkg-deb", "--fsys-tarfile", str(found[0])]
        tar = pathlib.Path(folder) / "content.tar"
        tar.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
        found = [tar]
    with tarfile.open(found[0]) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None and member.name.endswith(recipe.member):
                target.write_bytes(content.read())
                return target
    raise FileNotFoundError(f"{recipe.member} is not in {found[0]}.")


def resample(
    path: pathlib.Path, recipe: Recipe, size: int, pixel_mm: float, outside: float
) -> np.ndarray:
    """Return the scan [n, size, size] float32 on the grid of its recipe."""
    image = sitk.Cast(sitk.ReadImage(str(path)), sitk.sitkFloat32)
    image = sitk.DICOMOrient(image, "LPS")
    spacing = np.array([pixel_mm, pixel_mm, recipe.slice_mm])
    for axis, sigma in enumerate((spacing - image.GetSpacing()) / 2):
        if sigma > 1e-6:
            order = sitk.RecursiveGaussianImageFilter.ZeroOrder
            image = sitk.RecursiveGaussian(image, float(sigma), False, order, axis)
    last = np.array(image.GetSize()) - 1
    corners = np.array(
        [
            image.TransformIndexToPhysicalPoint([int(i) for i in last * corner])
            for corner in np.ndindex(2, 2, 2)
        ]
    )
    origin = corners.mean(0) - (size - 1) / 2 * spacing
    origin[2] = corners[:, 2].min() + recipe.first * recipe.slice_mm
    grid = sitk.Image(size, size, recipe.n, sitk.sitkFloat32)
    grid.SetSpacing(spacing.tolist())
    grid.SetOrigin(origin.tolist())
    resampled = sitk.Resample(image, grid, sitk.Transform(), sitk.sitkLinear, outside)
    return sitk.GetArrayFromImage(resampled)


def rebuild_brain(packages: pathlib.Path, target: pathlib.Path) -> None:
    """Write `brain_t1.h5`."""
    with h5py.File(target, "w") as file, tempfile.TemporaryDirectory() as folder:
        file.attrs["modality"] = "T1-weighted brain MRI, magnitude"
        file.attrs["intensity"] = (
            "uint8; 255 = 99.5th percentile of the head of that volume"
        )
        file.attrs["layout"] = LAYOUT
        file.attrs["pixel_mm"] = 1.0
        for recipe in BRAINS:
            path = extract(packages, recipe, folder)
            values = resample(path, recipe, 240, 1.0, 0.0)
            values = np.clip(np.rint(values * (255 / recipe.white)), 0, 255)
            store(file, recipe, values.astype(np.uint8))


def rebuild_chest(packages: pathlib.Path, target: pathlib.Path) -> None:
    """Write `chest_ct.h5`."""
    with h5py.File(target, "w") as file, tempfile.TemporaryDirectory() as folder:
        file.attrs["modality"] = "chest CT"
        file.attrs["intensity"] = (
            "int16 Hounsfield units, air outside the scanned field set to -1024"
        )
        file.attrs["layout"] = LAYOUT
        file.attrs["pixel_mm"] = 1.2
        for recipe in CHESTS:
            path = extract(packages, recipe, folder)
            values = resample(path, recipe, 320, 1.2, -1024.0)
            store(file, recipe, np.clip(np.rint(values), -1024, 3071).astype(np.int16))


def store(file: h5py.File, recipe: Recipe, values: np.ndarray) -> None:
    """Write one volume with its attributes."""
    chunks = (1, *values.shape[1:])
    dataset = file.create_dataset(
        recipe.name, data=values, chunks=chunks, compression="gzip", shuffle=True
    )
    dataset.attrs["source"] = recipe.source
    dataset.attrs["slice_mm"] = recipe.slice_mm
    print(f"{recipe.name}: {values.shape}")


def main() -> None:
    """Read the two folders and rebuild both files."""
    parser = argparse.ArgumentParser(description="Re-create the source volumes.")
    parser.add_argument("--packages", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    args = parser.parse_args()
    rebuild_brain(args.packages, args.output / "brain_t1.h5")
    rebuild_chest(args.packages, args.output / "chest_ct.h5")


if __name__ == "__main__":
    main()
