"""Bad checkpoints, data sets and scans of arrays: one line, nothing written."""

import numpy as np
import pytest
from bad_input import (
    SIZE,
    a_half_nifti,
    a_link_to_a_knee,
    arrays,
    check_row,
    ct,
    file_for_a_folder,
    finished,
    four_dimensions,
    kspace,
    measure,
    mine,
    no_pixels,
    nothing,
    one_knee,
    prepare,
    present,
    raw_lines,
    reconstruct,
    run_mri,
)

ROWS = {
    "a folder of another kind": (
        lambda d: (d / "config.json").write_text('{"sample_size": "x"}'),
        ("convert", ".", "--from=diffusers", "--out=out"),
        "must state sample_size",
    ),
    "a checkpoint that is not there": (
        nothing,
        ("convert", "nope.pt", "--out=out"),
        "nope.pt: there is no such file or folder",
    ),
    "a folder that is not there": (
        nothing,
        ("convert", "nope", "--from=diffusers", "--n_heads=4", "--out=out"),
        "nope: there is no such file or folder",
    ),
    "a folder for a checkpoint": (
        nothing,
        ("convert", ".", "--preset=ffhq_10m", "--out=out"),
        ". is a folder; a folder is for --from=diffusers",
    ),
    "a file for a folder of diffusers": (
        lambda d: (d / "a.pt").touch(),
        ("convert", "a.pt", "--from=diffusers", "--out=out"),
        "a.pt is a file; a folder is for --from=diffusers",
    ),
    "an array for a checkpoint": (
        arrays(),
        ("convert", "k.npy", "--preset=ffhq_10m", "--out=out"),
        "must be a file of .pt, .pth, .ckpt, .bin or .safetensors",
    ),
    "DICOM without pixels": (no_pixels, prepare("dicom"), "has no PixelData"),
    "NIfTI of four dimensions": (four_dimensions, prepare("nifti"), "has 4 dimensions"),
    "NIfTI half written": (a_half_nifti, prepare("nifti"), "none of 1 volumes"),
    "an empty data set": (
        lambda d: (d / "in").mkdir(),
        prepare("brats"),
        "holds no volume that brats knows",
    ),
    "k-space of no fastMRI": (
        lambda d: [(d / "in").mkdir(), raw_lines(d / "in")],
        prepare("fastmri"),
        "knows: expected HDF5 files of `kspace` and `ismrmrd_header`; other k-space",
    ),
    "measured into its sources": (one_knee, measure("--out=in"), "overlap"),
    "measured below its sources": (
        one_knee,
        measure("--out=in/new", "--overwrite"),
        "overlap",
    ),
    "measured above its sources": (
        one_knee,
        measure("--out=.", "--overwrite"),
        "overlap",
    ),
    "measured over a volume": (
        mine("out/file1.h5"),
        measure("--out=out"),
        "out/file1.h5 exists and is none of prepare's",
    ),
    "measured over what a link shows": (
        a_link_to_a_knee,
        measure("--out=out", "--overwrite"),
        "would replace in/file1.h5",
    ),
    "measured over a note": (
        mine("out/file1.json", '{"key": 1}'),
        measure("--out=out"),
        "out/file1.json exists and is none of prepare's",
    ),
    "measured into a file": (mine("out"), measure("--out=out"), "out is a file"),
    "prepared over a source": (
        one_knee,
        ("prepare", "fastmri", "--in=in", "--out=in/file1.h5", "--overwrite"),
        "in/file1.h5 would replace in/file1.h5",
    ),
    "prepared over a manifest": (
        mine("out.h5.manifest.json"),
        prepare("fastmri"),
        "out.h5.manifest.json exists",
    ),
    "prepared over a folder": (
        mine("out.h5/file"),
        prepare("fastmri", "--overwrite"),
        "out.h5 is a folder",
    ),
    "prepared where others keep files": (
        mine("out.h5.parts/letter.txt"),
        prepare("fastmri"),
        "out.h5.parts/letter.txt is none of prepare's",
    ),
    "output present": (present, reconstruct("--kspace=k.npy"), "out.npy exists"),
    "output in no folder": (
        arrays(),
        reconstruct("--kspace=k.npy", "--out=no/out.npy"),
        "no folder that can be written to",
    ),
    "output of no known kind": (
        arrays(),
        reconstruct("--kspace=k.npy", "--out=out.jpg"),
        "--out must end in",
    ),
    "a finished run": (finished, run_mri(), "holds a finished run"),
    "a file for a folder": (file_for_a_folder, run_mri(), "out"),
    "two kinds of scan": (
        arrays(),
        reconstruct("--kspace=k.npy", "--sinogram=k.npy", "--angles=m.npy"),
        "give --kspace",
    ),
    "coils and no centre": (
        arrays(k=kspace(coils=(4,)), m=np.arange(SIZE) % 4 == 0),
        reconstruct("--kspace=k.npy", "--mask=m.npy"),
        "k.npy: the mask has no complete centre of 8 by 8 to calibrate sensitivities "
        "with. kspace is taken for [n, coils, h, w] = (1, 4, 32, 32): put its axes",
    ),
    "coils last": (
        arrays(k=np.moveaxis(kspace(coils=(4,)), 1, -1)),
        reconstruct("--kspace=k.npy"),
        "taken for [n, coils, h, w] = (1, 32, 32, 4)",
    ),
    "mask and k-space apart": (
        arrays(m=np.ones(SIZE - 1)),
        reconstruct("--kspace=k.npy", "--mask=m.npy"),
        "mask must have shape",
    ),
    "rectangular k-space": (
        arrays(k=kspace()[..., :24]),
        reconstruct("--kspace=k.npy"),
        "32x24, the prior is for 32x32; resample the data or give a prior of that size;"
        " where complex images are the middle of a wider field of view, give "
        "--wider_field",
    ),
    "wider than a real prior": (
        arrays(),
        reconstruct("--kspace=k.npy", "--wider_field"),
        "wider_field is for complex images",
    ),
    "a wider field of a sinogram": (
        ct(),
        reconstruct("--sinogram=scan.h5", "--wider_field"),
        "give --kspace",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_bad_input_is_one_line(name, tmp_path, tiny_priors):
    check_row(ROWS[name], tmp_path, tiny_priors)
