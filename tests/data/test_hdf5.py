import h5py
import numpy as np
import pytest

from mgdm_jax.data import hdf5

N, C, H, W, V, D = 2, 3, 8, 6, 9, 10


def mri_content():
    rng = np.random.default_rng(0)
    kspace = rng.normal(size=(N, C, H, W)) + 1j * rng.normal(size=(N, C, H, W))
    mask = np.zeros(W, np.uint8)
    mask[::2] = 1
    return {
        "kspace": kspace.astype(np.complex64) * mask,
        "mask": mask,
        "sensitivity_maps": np.ones((C, H, W), np.complex64),
        "reference": rng.uniform(size=(N, H, W)).astype(np.float32),
    }


def ct_content():
    rng = np.random.default_rng(0)
    return {
        "sinogram": rng.uniform(size=(N, V, D)).astype(np.float32),
        "angles_deg": np.linspace(0, 180, V, endpoint=False),
        "reference": rng.uniform(size=(N, D, D)).astype(np.float32),
    }


def write(path, content, attrs=()):
    with h5py.File(path, "w") as file:
        for name, array in content.items():
            file[name] = array
        file.attrs.update(dict(attrs))
    return path


def test_mri_arrays_come_back_as_they_are(tmp_path):
    content = mri_content()
    attrs = {"centered": False, "scale": 2.5}
    got = hdf5.read_mri(write(tmp_path / "a.h5", content, attrs))
    for name, array in content.items():
        np.testing.assert_array_equal(getattr(got, name), array)
        assert getattr(got, name).dtype == array.dtype
    assert got.centered is False and got.scale == 2.5


def test_least_mri_file(tmp_path):
    content = mri_content()
    least = {
        "kspace": content["kspace"][:, 0],
        "mask": np.broadcast_to(content["mask"] > 0, (H, W)),
    }
    got = hdf5.read_mri(str(write(tmp_path / "a.h5", least)))
    assert got.kspace.shape == (N, H, W) and got.mask.dtype == bool
    assert got.sensitivity_maps is None and got.reference is None
    assert got.centered is True and got.scale is None


def test_ct_arrays_come_back_as_they_are(tmp_path):
    content = ct_content()
    got = hdf5.read_ct(write(tmp_path / "a.h5", content))
    for name, array in content.items():
        np.testing.assert_array_equal(getattr(got, name), array)
    assert got.scale == 1.0
    del content["reference"]
    got = hdf5.read_ct(write(tmp_path / "b.h5", content, {"scale": np.float32(3)}))
    assert got.reference is None and got.scale == 3.0


def put(array, index, value):
    array = array.copy()
    array[index] = value
    return array


ONE = mri_content()
BAD_MRI = {
    "missing": (
        {"kspace": None, "mask": None, "k_space": ONE["kspace"]},
        "no dataset 'kspace', 'mask', it has 'k_space', 'reference', 'sens",
    ),
    "kspace ndim": (
        {"kspace": ONE["kspace"][0, 0]},
        "[n, h, w] or [n, coils, h, w], g",
    ),
    "kspace real": (
        {"kspace": ONE["kspace"].real},
        "must be complex, got float32; sto",
    ),
    "kspace empty": ({"kspace": ONE["kspace"][:0]}, "kspace is empty, shape (0, 3, 8"),
    "kspace NaN": (
        {"kspace": put(ONE["kspace"], (1, 1, 1, 2), np.nan)},
        "kspace holds 1 NaN or infinite values of 288",
    ),
    "kspace zero": (
        {"kspace": put(ONE["kspace"], 1, 0)},
        "kspace of slice 1 is all zero",
    ),
    "mask shape": ({"mask": np.ones(H)}, "mask must have shape (8, 6) or (6,)"),
    "mask values": ({"mask": put(ONE["mask"], 0, 2)}, "zeros and ones only"),
    "mask NaN": ({"mask": np.full(W, np.nan)}, "mask holds 6 NaN"),
    "mask text": ({"mask": np.array([b"1"] * W)}, "mask must be real numbers, got |S1"),
    "mask empty": ({"mask": np.zeros(W)}, "mask samples nothing"),
    "mask order": ({"mask": 1 - ONE["mask"]}, "all zero wherever mask is 1, in shape"),
    "maps coils": (
        {"sensitivity_maps": ONE["sensitivity_maps"][:2]},
        "sensitivity_maps must have shape (3, 8, 6) or (2, 3, 8, 6) to match kspace, "
        "got shape (2, 8, 6); check the number of coils",
    ),
    "maps without coils": ({"kspace": ONE["kspace"][:, 0]}, "has no coil axis but"),
    "maps inf": (
        {"sensitivity_maps": np.full((C, H, W), np.inf)},
        "sensitivity_maps holds 144 NaN or infinite",
    ),
    "maps zero": ({"sensitivity_maps": np.zeros((C, H, W))}, "is all zero, in shape"),
    "reference shape": (
        {"reference": ONE["reference"][:, :4]},
        "reference must have shape (2, 8, 6) to match the measurements, got",
    ),
    "reference NaN": (
        {"reference": ONE["reference"] * np.nan},
        "reference holds 96 NaN",
    ),
    "centered": (
        {"attrs": {"centered": "false"}},
        "centered must be true or false, got",
    ),
    "scale": ({"attrs": {"scale": 0.0}}, "scale must be one positive number, got"),
}

TWO = ct_content()
BAD_CT = {
    "missing": (
        {"angles_deg": None},
        "no dataset 'angles_deg', it has 'reference', 's",
    ),
    "ndim": (
        {"sinogram": TWO["sinogram"][0]},
        "[n, views, detectors], got shape (9, 10)",
    ),
    "complex": (
        {"sinogram": TWO["sinogram"] * 1j},
        "must be real numbers, got complex",
    ),
    "NaN": (
        {"sinogram": put(TWO["sinogram"], (0, 0, 0), np.inf)},
        "holds 1 NaN or inf",
    ),
    "zero": (
        {"sinogram": put(TWO["sinogram"], 0, 0)},
        "sinogram of slice 0 is all zero",
    ),
    "angles count": (
        {"angles_deg": TWO["angles_deg"][1:]},
        "angles_deg must have shape (9,), one angle a view of sinogram",
    ),
    "angles NaN": (
        {"angles_deg": TWO["angles_deg"] * np.nan},
        "angles_deg holds 9 NaN",
    ),
    "radians": (
        {"angles_deg": np.deg2rad(TWO["angles_deg"])},
        "9 angles up to 2.79 look like radians; multiply them by 180/pi",
    ),
    "radians of a whole turn": (
        {"angles_deg": np.linspace(0, 2 * np.pi, V)},
        "9 angles up to 6.28 look like radians",
    ),
    "radians of three views": (
        {"sinogram": TWO["sinogram"][:, :3], "angles_deg": np.arange(3) * np.pi / 3}
        | {"reference": None},
        "3 angles up to 2.09 look like radians",
    ),
    "reference shape": ({"reference": ONE["reference"]}, "must have shape (2, 10, 10)"),
    "reference complex": (
        {"reference": TWO["reference"] * 1j},
        "reference must be real",
    ),
    "scale": ({"attrs": {"scale": [1.0, 2.0]}}, "scale must be one positive number"),
}


def check_refused(read, path, content, changes, message):
    changes = dict(changes)
    attrs = changes.pop("attrs", {})
    content = {k: v for k, v in {**content, **changes}.items() if v is not None}
    with pytest.raises(ValueError) as refused:
        read(write(path, content, attrs))
    line = str(refused.value)
    assert line.startswith(f"{path}: ") and message in line and "\n" not in line


@pytest.mark.parametrize("case", BAD_MRI)
def test_bad_mri_file_is_one_line(case, tmp_path):
    check_refused(hdf5.read_mri, tmp_path / "a.h5", mri_content(), *BAD_MRI[case])


@pytest.mark.parametrize("case", BAD_CT)
def test_bad_ct_file_is_one_line(case, tmp_path):
    check_refused(hdf5.read_ct, tmp_path / "a.h5", ct_content(), *BAD_CT[case])


def test_of_many_slices_the_first_are_read(tmp_path, monkeypatch):
    content = mri_content()
    content["kspace"][1:] = content["reference"][1:] = np.nan
    path, keep = write(tmp_path / "a.h5", content), h5py.Dataset.__getitem__
    read = []
    monkeypatch.setattr(
        h5py.Dataset, "__getitem__", lambda d, k: (read.append(d.name), keep(d, k))[1]
    )
    got = hdf5.read_mri(path, 1)
    np.testing.assert_array_equal(got.kspace, content["kspace"][:1])
    np.testing.assert_array_equal(got.reference, content["reference"][:1])
    assert {"/kspace", "/reference"} <= set(read)
    with pytest.raises(ValueError, match="NaN"):
        hdf5.read_mri(path)
    few = write(tmp_path / "b.h5", ct_content() | {"reference": np.ones((1, D, D))})
    with pytest.raises(ValueError, match="reference must have shape"):
        hdf5.read_ct(few, 1)
    got = hdf5.read_ct(write(tmp_path / "c.h5", ct_content()), 9)
    np.testing.assert_array_equal(got.sinogram, ct_content()["sinogram"])


def test_few_small_angles_are_degrees(tmp_path):
    content = ct_content()
    content["sinogram"] = content["sinogram"][:, :2]
    content["angles_deg"] = np.arange(2.0) / 2
    assert hdf5.read_ct(write(tmp_path / "a.h5", content)).angles_deg[1] == 0.5
    content = ct_content()
    content["angles_deg"] = content["angles_deg"] / 60 + 360
    assert hdf5.read_ct(write(tmp_path / "b.h5", content)).angles_deg[0] == 360


@pytest.mark.parametrize("read", [hdf5.read_mri, hdf5.read_ct])
def test_unreadable_files_are_one_line(read, tmp_path):
    write(tmp_path / "whole.h5", mri_content() | ct_content())
    whole = (tmp_path / "whole.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.h5").write_text("not HDF5")
    for name, message in {
        "cut.h5": "not readable",
        "text.h5": "not readable",
        "none.h5": "there is no such file",
    }.items():
        with pytest.raises(ValueError, match=message) as refused:
            read(tmp_path / name)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["kspace", "sinogram"])
def test_a_dataset_beyond_all_memory_is_one_line(name, tmp_path):
    path = write(tmp_path / "a.h5", mri_content() | ct_content())
    with h5py.File(path, "a") as file:
        del file[name]
        file.create_dataset(name, (1, 2**22, 2**22), np.complex64, chunks=True)
    read = hdf5.read_mri if name == "kspace" else hdf5.read_ct
    with pytest.raises(ValueError, match=r"a\.h5: not readable \(.*llocate") as refused:
        read(path)
    assert "\n" not in str(refused.value)


def test_damaged_data_is_one_line(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for name, array in ct_content().items():
            file.create_dataset(name, data=array, fletcher32=True, chunks=True)
        offset = file["sinogram"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not readable"):
        hdf5.read_ct(path)


def test_reconstructions_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.h5"
    image = np.random.default_rng(0).uniform(size=(N, H, W)).astype(np.float32)
    hdf5.write(path, {"reconstruction": image}, {"scale": 2.0, "method": "mgdm"})
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["reconstruction"][()], image)
        assert dict(file.attrs) == {"scale": 2.0, "method": "mgdm"}
    before = path.read_bytes()
    with pytest.raises(TypeError):
        hdf5.write(path, {"reconstruction": image, "bad": np.array([object()])}, {})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["out.h5"]
    with pytest.raises(ValueError, match="at least one array"):
        hdf5.write(path, {}, {})


def test_maps_of_a_slice_that_are_zero_are_refused(tmp_path):
    kspace = np.ones((2, 3, 8, 8), np.complex64)
    maps = np.ones_like(kspace)
    maps[1] = 0
    contents = hdf5.MriFile(kspace, np.ones(8), maps, None, True, None)
    with pytest.raises(ValueError, match="sensitivity_maps of set 1 is all zero"):
        hdf5.check_mri(contents)
