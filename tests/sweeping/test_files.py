"""Whether a folder is this sweep's, and what is said of what it is chosen on."""

import json
import pathlib

import h5py
import numpy as np
import pytest
import tiny
from test_configs import ROOT, load
from test_reconstruct import kspace_of

from mgdm_jax import factory
from mgdm_jax.measurements import Measurements
from mgdm_jax.sweeping import criteria, files


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


def test_what_another_process_began_meanwhile_is_not_replaced(tmp_path):
    """Both looked before there was anything."""
    first, second = load(ROOT / "mri_brats.py"), load(ROOT / "mri_brats.py")
    second.guidance.lam = 30.0
    for config in (first, second):
        files.check(tmp_path, config)
    files.begin(tmp_path, first, "inputs")
    files.begin(tmp_path, first, "inputs")
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(ValueError, match=r"another sweep: guidance\.lam is 30"):
        files.begin(tmp_path, second, "inputs")
    with pytest.raises(ValueError, match="or the images are not those that"):
        files.begin(tmp_path, first, "others")
    assert (tmp_path / "config.json").read_bytes() == before


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    """Root may write all: the system's answer is feigned."""

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pathlib.Path, "touch", denied)
    with pytest.raises(ValueError, match=r"out cannot be written \(Permission denied"):
        files.check(tmp_path / "out", load(ROOT / "mri_brats.py"))


@pytest.mark.parametrize("name", files.VERSIONS)
def test_rows_of_other_versions_are_not_added_to(name, tmp_path):
    config = load(ROOT / "mri_brats.py")
    files.begin(tmp_path, config, "inputs")
    path = tmp_path / "environment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: "0.0.1"}))
    with pytest.raises(ValueError, match=f"begun with {name} 0.0.1, this is "):
        files.begin(tmp_path, config, "inputs")


def test_what_numbers_are_chosen_on_is_named_and_warned_of(tmp_path):
    """The split where a reference is looked at, whom the prior has met always."""
    config = load(ROOT / "mri_brats.py")
    config.prior.path = tiny.write_prior(tmp_path, 16, training={"met": "itk_mprage"})
    facts = {"data": "embedded sample: test/colin27"}
    three = Measurements(None, np.zeros((3, 1)), 0.0, None, np.ones(3), None, facts)
    for criterion in criteria.CRITERIA[:2]:
        config.sweep.criterion = criterion
        config.data.split, config.data.subject = "test", "colin27"
        chosen, *warned = files.provenance(config, three)
        assert chosen.startswith("chosen on embedded sample: test/colin27, 3 images")
        looked = criterion == criteria.REFERENCE
        assert ("no reference was looked at" in chosen) != looked
        assert len(warned) == looked and all("the test split" in x for x in warned)
        config.data.split, config.data.subject = "train", "itk_mprage"
        _, warned = files.provenance(config, three)
        assert "was trained on itk_mprage" in warned
