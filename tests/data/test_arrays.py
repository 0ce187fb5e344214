"""The same array out of every format; whatever cannot be read is one line."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from mgdm_jax.data import arrays

VALUES = (np.arange(24).reshape(2, 3, 4) * (1 + 0.5j)).astype(np.complex64)


def write(tmp_path, suffix, values=VALUES, **more):
    """Write `values` as `kspace`, C-ordered or, for MATLAB and BART, its transpose."""
    path = tmp_path / f"scan{suffix}"
    match suffix:
        case ".npy":
            np.save(path, values)
        case ".npz":
            np.savez(path, kspace=values, **more)
        case ".h5" | ".hdf5":
            with h5py.File(path, "w") as file:
                for name, value in ({"kspace": values} | more).items():
                    file[name] = value
        case ".mat":
            scipy.io.savemat(path, {"kspace": values.T} | more)
        case ".cfl":
            np.asfortranarray(values.T).ravel("F").astype(np.complex64).tofile(path)
            dims = " ".join(map(str, [*values.T.shape, 1, 1, 1]))
            path.with_suffix(".hdr").write_text(f"# Dimensions\n{dims}\n# Command\nx\n")
    return str(path)


@pytest.mark.parametrize("suffix", arrays.SUFFIXES)
def test_every_format_gives_the_same_array(suffix, tmp_path):
    got = arrays.read(write(tmp_path, suffix), "kspace")
    np.testing.assert_array_equal(got, VALUES)
    assert np.iscomplexobj(got)


@pytest.mark.parametrize(
    ("dimensions", "shape"),
    [
        ("8 6 1 4", (1, 4, 6, 8)),
        ("8 6 1 1 1 1", (6, 8)),
        ("1 8 6 4", (1, 4, 6, 8)),
        ("8 6 3 4 1 1", (3, 4, 6, 8)),
        ("8 6 1 4 1 1 1 1 1 1 1 1 1 3", (3, 4, 6, 8)),
        ("8 6 1 4 2", (2, 1, 4, 6, 8)),
        ("8 6 1 4 2 1 1 1 1 1 1 1 1 3", (3, 2, 4, 6, 8)),
    ],
)
def test_bart_s_coils_are_no_slices(dimensions, shape, tmp_path):
    sizes = [int(word) for word in dimensions.split()]
    values = np.arange(np.prod(sizes)).astype(np.complex64)
    values.tofile(tmp_path / "k.cfl")
    (tmp_path / "k.hdr").write_text(f"# Dimensions\n{dimensions}\n")
    got = arrays.read(str(tmp_path / "k.cfl"), "kspace")
    assert got.shape == shape
    if got.ndim > 2:  # the last of the first coil comes before the first of the next
        first_coils = np.prod(sizes[:3])
        assert got[(0,) * (got.ndim - 3)][1, 0, 0] == first_coils


def test_matlab_7_3_stores_real_and_imaginary_fields(tmp_path):
    path = tmp_path / "scan.mat"
    pairs = np.zeros(VALUES.shape, [("real", "f4"), ("imag", "f4")])
    pairs["real"], pairs["imag"] = VALUES.real, VALUES.imag
    with h5py.File(path, "w") as file:
        file["kspace"] = pairs
    np.testing.assert_array_equal(arrays.read(str(path), "kspace"), VALUES)


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".mat"])
def test_one_of_several_is_named(suffix, tmp_path):
    path = write(tmp_path, suffix, other=np.ones((2, 2)))
    np.testing.assert_array_equal(arrays.read(path, "kspace"), VALUES)
    assert arrays.read(f"{path}#other", "kspace").shape == (2, 2)
    with pytest.raises(ValueError, match="kspace, other; say which is maps"):
        arrays.read(path, "maps")
    with pytest.raises(ValueError, match="say which is kspace"):
        arrays.read(f"{path}#absent", "kspace")


def test_a_path_may_have_a_number_sign(tmp_path):
    folder = tmp_path / "my data #2"
    folder.mkdir()
    path = Path(write(folder, ".h5", mask=np.ones(4))).rename(folder / "k #1.h5")
    np.testing.assert_array_equal(arrays.read(str(path), "kspace"), VALUES)
    np.testing.assert_array_equal(arrays.read(f"{path}#kspace", "k"), VALUES)
    assert arrays.beside(str(path), "kspace", "mask").shape == (4,)
    assert arrays.attributes(f"{path}#kspace") == {}
    with pytest.raises(ValueError, match=r"#2/no\.h5: there is no such file"):
        arrays.read(f"{folder}/no.h5#kspace", "kspace")


def test_datasets_inside_groups(tmp_path):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["dataset/values"] = VALUES
    np.testing.assert_array_equal(arrays.read(str(path), "kspace"), VALUES)


@pytest.mark.parametrize("suffix", arrays.SUFFIXES)
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_half_a_file_is_refused(suffix, share, tmp_path):
    path = write(tmp_path, suffix)
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"scan") as caught:
        arrays.read(path, "kspace")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reader", ["numpy.load", "h5py.File"])
def test_what_may_not_be_read_is_called_so(reader, tmp_path, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path, ".npy" if reader == "numpy.load" else ".h5")
    monkeypatch.setattr(reader, denied)
    with pytest.raises(ValueError, match="it may not be read; change its permissions"):
        arrays.read(path, "kspace")


def test_pickled_objects_are_refused(tmp_path):
    np.save(tmp_path / "scan.npy", np.array([{"a": 1}], object), allow_pickle=True)
    np.savez(tmp_path / "scan.npz", kspace=np.array([{"a": 1}], object))
    for name in ("scan.npy", "scan.npz"):
        with pytest.raises(ValueError, match="not readable"):
            arrays.read(str(tmp_path / name), "kspace")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("absent.npy", "no such file"),
        ("scan.dat", "must be a file of"),
        ("", "file of"),
    ],
)
def test_what_is_no_file_of_arrays_is_refused(source, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        arrays.read(source, "kspace")


def test_text_is_no_number(tmp_path):
    np.save(tmp_path / "scan.npy", np.array(["a", "b"]))
    with pytest.raises(ValueError, match="must hold numbers"):
        arrays.read(str(tmp_path / "scan.npy"), "kspace")
