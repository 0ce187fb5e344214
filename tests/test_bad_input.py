"""Whatever is wrong with a user's input is one line, exit code 2, nothing written."""

import numpy as np
import pytest
from bad_input import (
    MAPS,
    SINOGRAM,
    SIZE,
    a_folder_of_scans,
    a_prior_of,
    a_prior_of_lies,
    a_prior_of_nothing,
    arrays,
    check_row,
    corner_kspace,
    ct,
    half_a_prior,
    kspace,
    mri,
    no_dataset,
    nothing,
    pickle_bomb,
    raw_lines,
    reconstruct,
    run_ct,
    run_mri,
    run_sample,
    spoil,
    truncated,
    two_reals,
    wrong_coils,
)
from safetensors.numpy import save_file
from test_convert import REFUSAL

ROWS = {
    "truncated HDF5": (truncated, run_mri(), "not readable"),
    "no such file": (nothing, run_mri(), "no such file"),
    "a folder of scans": (
        a_folder_of_scans,
        run_mri(),
        "scan.h5: a folder; give one of its files, a.h5 say.",
    ),
    "a folder without scans": (
        lambda d: (d / "scan.h5").mkdir(),
        run_mri(),
        "scan.h5: a folder; give one of its files.",
    ),
    "not HDF5": (
        lambda d: (d / "scan.h5").write_text("hello"),
        run_mri(),
        "not readable",
    ),
    "wrong names": (no_dataset, run_mri(), "has no dataset 'kspace', it has 'ksp'"),
    "complex as two reals": (two_reals, run_mri(), "kspace must be complex"),
    "NaN": (mri(kspace=spoil(kspace(), np.nan)), run_mri(), "1 NaN or infinite"),
    "Inf": (mri(kspace=spoil(kspace(), np.inf)), run_mri(), "1 NaN or infinite"),
    "all-zero k-space": (mri(kspace=0 * kspace()), run_mri(), "is all zero"),
    "mask's shape": (mri(mask=np.ones(SIZE + 1)), run_mri(), "mask must have shape"),
    "mask of nothing": (mri(mask=np.zeros(SIZE)), run_mri(), "mask samples nothing"),
    "mask of weights": (mri(mask=np.full(SIZE, 0.5)), run_mri(), "zeros and ones only"),
    "DC in the corner": (corner_kspace, run_mri(), "energy lies in the corners"),
    "DC in the corner along rows": (
        mri(kspace=np.fft.ifftshift(kspace(), -1)),
        run_mri(),
        "in the corner along w; apply fftshift along w (axis -1)",
    ),
    "DC in the corner along columns": (
        arrays(k=np.fft.ifftshift(kspace(), -2)),
        reconstruct("--kspace=k.npy"),
        "in the corner along h and in the middle along w; apply fftshift along h (axis",
    ),
    "DC in the middle along rows": (
        arrays(k=np.fft.ifftshift(kspace(), -2)),
        reconstruct("--kspace=k.npy", "--nocentered"),
        "in the middle along w; apply ifftshift along w (axis -1)",
    ),
    "DC in the middle": (mri(centered=False), run_mri(), "energy lies in the middle"),
    "scale of another scan": (mri(scale=1e6), run_mri(), "give the scale of these"),
    "scale of nought": (mri(scale=0.0), run_mri(), "scale must be one positive number"),
    "coils without maps": (mri(kspace=kspace(coils=(4,))), run_mri(), "has 4 coils"),
    "raw data": (raw_lines, run_mri(), "which `mgdm-jax reconstruct --kspace` reads"),
    "raw data without lines": (
        lambda d: raw_lines(d, lines=0),
        reconstruct("--kspace=scan.h5"),
        "scan.h5: holds an ISMRMRD header and no acquisitions",
    ),
    "number of coils": (wrong_coils, run_mri(), "check the number of coils"),
    "coils and a real prior": (
        mri(kspace=kspace(coils=(2,)), sensitivity_maps=MAPS),
        run_mri(),
        "needs a prior of complex images",
    ),
    "maps of nothing": (
        mri(kspace=kspace(coils=(2,)), sensitivity_maps=0 * MAPS),
        run_mri(),
        "sensitivity_maps of set 0 is all zero",
    ),
    "reference's shape": (
        mri(reference=np.ones((1, 9, 9))),
        run_mri(),
        "reference must have shape",
    ),
    "reference of nothing": (
        mri(reference=np.zeros((1, SIZE, SIZE))),
        run_mri(),
        "reference is zero throughout",
    ),
    "radians": (ct(angles_deg=np.arange(8) * 0.39), run_ct(), "look like radians"),
    "radians over a whole turn": (
        ct(angles_deg=np.linspace(0, 2 * np.pi, 8)),
        run_ct(),
        "look like radians",
    ),
    "angles without rows": (ct(angles_deg=np.arange(7)), run_ct(), "one angle a view"),
    "sinogram in pixels of 1e5": (ct(sinogram=SINOGRAM * 1e5), run_ct(), "scale"),
    "CT in a file of MRI": (mri(), run_ct(), "has no dataset 'sinogram', 'angles_deg'"),
    "prior of another size": (
        mri(),
        run_mri("--config.prior.path=tiny-48-1.safetensors"),
        "32x32, the prior is for 48x48",
    ),
    "prior of other channels": (
        mri(),
        run_mri("--config.prior.path=tiny-32-2.safetensors"),
        "needs a prior of 1 channels",
    ),
    "prior half written": (half_a_prior, run_mri(), "safetensors"),
    "prior of nothing": (a_prior_of_nothing, run_mri(), "safetensors"),
    "prior whose header lies": (a_prior_of_lies, run_mri(), "safetensors"),
    "prior of no facts": (a_prior_of("[]"), run_mri(), "no JSON object of facts"),
    "prior that lacks a fact": (a_prior_of("{}"), run_mri(), "metadata lacks 'high'"),
    "prior that lacks a tensor": (
        a_prior_of(None, lacks="out.1.bias"),
        run_mri(),
        "lacks the tensor out.1.bias",
    ),
    "no such prior": (
        nothing,
        run_sample("--config.prior.path=brain"),
        "no prior 'brain'",
    ),
    "the folder of a prior": (
        lambda d: [(d / "cv").mkdir(), (d / "cv" / "prior.safetensors").touch()],
        run_sample("--config.prior.path=cv"),
        "give the prior in it, cv/prior.safetensors",
    ),
    "a checkpoint for a prior": (
        lambda d: (d / "x.pt").touch(),
        run_sample("--config.prior.path=x.pt"),
        "x.pt is no .safetensors file; of a checkpoint of others `mgdm-jax convert`",
    ),
    "pickle in an array": (pickle_bomb, reconstruct("--kspace=k.npy"), "not readable"),
    "pickle for a checkpoint": (
        pickle_bomb,
        ("convert", "bomb.pt", "--preset=ffhq_10m", "--out=out"),
        REFUSAL,
    ),
    "a checkpoint of scalars": (
        lambda d: save_file(
            {"time_embed.0.weight": np.array(1.0)}, d / "a.safetensors"
        ),
        ("convert", "a.safetensors", "--image_size=64", "--n_heads=4", "--out=out"),
        "time_embed.0.weight of the checkpoint has shape ()",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_bad_input_is_one_line(name, tmp_path, tiny_priors):
    check_row(ROWS[name], tmp_path, tiny_priors)
