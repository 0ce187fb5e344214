"""One good file of every kind that is read, to be damaged."""

import json
import shutil

import h5py
import nibabel
import numpy as np
import raw_data
import scanner_files
import scipy.io
import tiny
from safetensors.numpy import save_file

from mgdm_jax.data import (
    prepared,
)

RNG = np.random.default_rng(0)
KSPACE = (RNG.normal(size=(1, 8, 8)) + 1j).astype(np.complex64)


def write_npz(path):
    np.savez(path, kspace=KSPACE, mask=np.ones(8))


def write_mat(path):
    scipy.io.savemat(path, {"kspace": KSPACE})


def write_cfl(path):
    KSPACE.tofile(path)
    path.with_suffix(".hdr").write_text("# Dimensions\n8 8 1\n")


def write_mri(path):
    with h5py.File(path, "w") as file:
        file["kspace"], file["mask"] = KSPACE, np.ones(8)


def write_ct(path):
    with h5py.File(path, "w") as file:
        file["sinogram"], file["angles_deg"] = np.ones((1, 5, 8)), np.arange(5) * 36.0


def write_ismrmrd(path):
    size = ((8, 4, 1), (16.0, 8.0, 5.0))
    lines = [raw_data.line(np.ones((2, 8)), step) for step in range(4)]
    raw_data.write(path, raw_data.header(size, size, 2), lines)


def write_nifti(path):
    nibabel.save(
        nibabel.Nifti1Image(RNG.random((8, 8, 8), np.float32), np.eye(4)), path
    )


def write_dicom(path):
    slices, _ = scanner_files.ct_series(RNG, n=1, size=8)
    slices[0].save_as(path, enforce_file_format=True)


def write_fastmri(path):
    scanner_files.write_fastmri(path, KSPACE, recon=(4, 4))


def write_prior(path):
    shutil.move(tiny.write_prior(path.parent, 16), path)


def write_prepared(path):
    facts = (["x"], np.arange(1), np.ones(1), 1.0, "u")
    images = RNG.random((1, 8, 8), np.float32)
    prepared.write(path, prepared.Slices(images, *facts), "s", "v", "test")


def write_brats(path):
    path.parent.rmdir()
    scanner_files.write_brats(path.parents[1], path.parent.name, RNG, (8, 8, 80))


def write_torch(path):
    import torch  # pyright: ignore[reportMissingImports]

    torch.save({"a.weight": torch.ones(3, 4), "a.bias": torch.ones(3)}, path)


def write_diffusers(path):
    """Write a folder of UNet2DModel; `checkpoint` damages the tensors of one."""
    fields = {
        "_class_name": "UNet2DModel",
        "sample_size": 32,
        "in_channels": 1,
        "out_channels": 1,
        "block_out_channels": [32, 64],
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
        "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
        "layers_per_block": 1,
    }
    path.write_text(json.dumps(fields))
    save_file({"x": np.ones(3)}, path.parent / "diffusion_pytorch_model.safetensors")
