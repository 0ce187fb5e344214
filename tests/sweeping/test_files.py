"""Whether a folder is this sweep's."""

import h5py
import numpy as np
import pytest
import tiny
from test_configs import ROOT, load
from test_reconstruct import kspace_of

from mgdm_jax import factory
from mgdm_jax.sweeping import files


def test_a_scan_of_other_measurements_is_refused(tmp_path, rng):
    path, out = tmp_path / "scan.h5", tmp_path / "out"
    images, mask = rng.uniform(0.5, 1, (2, 16, 16)), np.ones(16)
    config = load(ROOT / "mri_brats.py")
    config.prior.path = tiny.write_prior(tmp_path, 16)
    config.data.path = str(path)

    def inputs(mask):
        with h5py.File(path, "w") as file:
            file["kspace"] = (kspace_of(images) * mask).astype("c8")
            file["mask"], file["reference"] = mask, images.astype("f4")
            file.attrs["scale"] = 1.0
        prior, measurements, _ = factory.build(config)
        return files.check_inputs(out, config, prior, measurements)

    out.mkdir()
    files.begin(out, config, inputs(mask))
    inputs(mask)
    mask[1::3] = 0
    with pytest.raises(ValueError, match="or the images are not those that"):
        inputs(mask)
