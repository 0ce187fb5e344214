"""The coils' own k-space prepared: a file a volume, nothing of others overwritten."""

import h5py
import numpy as np
import pytest
import scanner_files
from test_prepare import SHARES, contents

from mgdm_jax import defaults, factory, prepare
from mgdm_jax.data import fastmri, jobs


def test_measured_k_space_of_a_folder(tmp_path, rng):
    root, out = tmp_path / "in", tmp_path / "out"
    root.mkdir()
    for i in range(2):
        scanner_files.write_fastmri(
            root / f"k{i}.h5", rng.random((1, 64, 40)), recon=(32, 32), patient=f"p{i}"
        )
    sampling = fastmri.Sampling("equispaced", 2, 0)
    manifest = prepare.prepare_measured(root, out, SHARES, sampling, workers=1)
    assert [entry["output"] for entry in manifest["volumes"]] == ["k0.h5", "k1.h5"]
    assert all("kspace_sha256" in entry for entry in manifest["volumes"])
    other = fastmri.Sampling("equispaced", 4, 0)
    again = prepare.prepare_measured(root, out, SHARES, other, workers=1)
    hashes = [[e["kspace_sha256"] for e in m["volumes"]] for m in (manifest, again)]
    assert hashes[0] != hashes[1]


def write_knee(path, rng, patient="p"):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = rng.random((1, 64, 40))
    scanner_files.write_fastmri(path, image, recon=(32, 32), patient=patient)


SAMPLING = fastmri.Sampling("equispaced", 2, 0)


def measure(tmp_path, out="out", **options):
    return prepare.prepare_measured(
        tmp_path / "in", tmp_path / out, SHARES, SAMPLING, 1, **options
    )


def test_volumes_of_one_name_in_two_folders_are_two(tmp_path, rng):
    for folder in ("a", "b"):
        write_knee(tmp_path / "in" / folder / "k.h5", rng)
    entries = measure(tmp_path)["volumes"]
    assert [entry["output"] for entry in entries] == ["a/k.h5", "b/k.h5"]
    both = [contents(tmp_path / "out" / e["output"])["kspace"] for e in entries]
    assert (both[0] != both[1]).any()


def test_what_is_not_ours_is_overwritten_only_if_asked(tmp_path, rng):
    write_knee(tmp_path / "in" / "k.h5", rng)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "k.h5").write_text("mine")
    with pytest.raises(ValueError, match=r"out/k\.h5 exists and is none of"):
        measure(tmp_path)
    assert (tmp_path / "out" / "k.h5").read_text() == "mine"
    measure(tmp_path, overwrite=True)
    assert h5py.is_hdf5(tmp_path / "out" / "k.h5")


@pytest.mark.parametrize("writes", [jobs.hdf5, jobs])
def test_a_volume_interrupted_while_it_is_written_is_ours(
    tmp_path, rng, monkeypatch, writes
):
    """Before the file, or between the file and its note."""
    write_knee(tmp_path / "in" / "k.h5", rng)
    name = "write" if writes is jobs.hdf5 else "_source"
    with monkeypatch.context() as patched:
        patched.setattr(writes, name, lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            measure(tmp_path)
    assert (tmp_path / "out").exists() == (writes is jobs)
    (entry,) = measure(tmp_path)["volumes"]
    assert entry["key"] != "unfinished" and entry["slices"] == 1


def test_own_masks_of_a_wider_field_reach_the_operator(tmp_path):
    """An object inside the prior's field explains k-space; a wider prior is refused."""
    size, columns = (64, 32), 48
    y, x = (np.arange(n) - n // 2 for n in (2 * size[0], columns))
    image = np.exp(-np.add.outer((y / 9) ** 2, (x / 5) ** 2)) * (1 + 0.3j)
    mask = (np.arange(columns) % 2 == 0) | (np.abs(x) < 6)
    scanner_files.write_fastmri(
        tmp_path / "k.h5", image[None], mask=mask, recon=(size[0], size[1])
    )
    prepare.prepare_measured(tmp_path, tmp_path / "out", SHARES, None, workers=1)
    config = defaults.reconstruction()
    config.data.path = str(tmp_path / "out" / "k.h5")
    config.task.kind = "mri_complex"
    with pytest.raises(ValueError, match=r"64x48, .* --config\.data\.wider_field"):
        factory.load_measurements(config, (*size, 2))
    config.data.wider_field = True
    found = factory.load_measurements(config, (*size, 2))
    middle = image[32:96, 8:40] / found.scale[0]
    explained = found.operator.forward(
        np.stack([middle.real, middle.imag], -1).astype("f4")
    )
    np.testing.assert_allclose(explained, found.measurement[0], atol=1e-4)
    with pytest.raises(ValueError, match="not larger than the k-space of 64x48"):
        factory.load_measurements(config, (64, 64, 2))
        factory.load_measurements(config, (64, 64, 2))
