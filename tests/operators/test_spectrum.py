import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

from mgdm_jax.operators import radon, spectrum


@pytest.fixture
def matrix():
    return radon.to_sparse(radon.parallel_beam([0.0, 50.0, 110.0], 8))


@pytest.fixture
def builds(monkeypatch):
    """Count decompositions."""
    calls, build = [], spectrum._build_dual

    def counted(a):
        calls.append(a.shape)
        return build(a)

    monkeypatch.setattr(spectrum, "_build_dual", counted)
    return calls


def assert_diagonalises(eigen, matrix):
    dense = matrix.toarray().astype(np.float64)
    gram = (eigen.vectors * eigen.values) @ eigen.vectors.T
    np.testing.assert_allclose(gram, dense @ dense.T, atol=1e-6)
    assert eigen.vectors.dtype == eigen.values.dtype == np.float32
    assert (eigen.values >= 0).all()


def test_dual_eigh_without_cache(matrix, builds):
    assert_diagonalises(spectrum.dual_eigh(matrix, None), matrix)
    assert len(builds) == 1


def test_cache_is_hit_and_leaves_one_file(matrix, builds, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    folder = tmp_path / "made" / "here"
    first = spectrum.dual_eigh(matrix, folder)
    second = spectrum.dual_eigh(matrix, folder)
    assert len(builds) == 1
    assert caplog.text.count(f"kept in {folder}") == 1
    assert (first.vectors == second.vectors).all()
    assert [p.suffix for p in folder.iterdir()] == [".npz"]


def test_another_geometry_is_another_file(matrix, builds, tmp_path):
    spectrum.dual_eigh(matrix, tmp_path)
    spectrum.dual_eigh(matrix * np.float32(0.5), tmp_path)
    assert len(builds) == 2
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", ["empty", "half", "flipped", "text", "wrong_shape"])
def test_damaged_cache_is_rebuilt(matrix, builds, tmp_path, damage):
    spectrum.dual_eigh(matrix, tmp_path)
    (path,) = tmp_path.iterdir()
    good = path.read_bytes()
    middle = len(good) // 2
    match damage:
        case "empty":
            path.write_bytes(b"")
        case "half":
            path.write_bytes(good[:middle])
        case "flipped":
            flipped = bytes([good[middle] ^ 0xFF])
            path.write_bytes(good[:middle] + flipped + good[middle + 1 :])
        case "text":
            path.write_text("not an archive")
        case "wrong_shape":
            with path.open("wb") as file:
                np.savez(file, values=np.ones(2), vectors=np.eye(2))
    assert_diagonalises(spectrum.dual_eigh(matrix, tmp_path), matrix)
    assert len(builds) == 2
    spectrum.dual_eigh(matrix, tmp_path)
    assert len(builds) == 2


def test_interrupted_write_leaves_nothing(matrix, tmp_path, monkeypatch):
    def fail(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(spectrum.np, "savez", fail)
    with pytest.raises(KeyboardInterrupt):
        spectrum.dual_eigh(matrix, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_done_without(matrix, tmp_path):
    (tmp_path / "file").touch()
    assert_diagonalises(spectrum.dual_eigh(matrix, tmp_path / "file"), matrix)


def test_too_many_rows_are_refused():
    big = scipy.sparse.csr_array((spectrum.MAX_DUAL_ROWS + 1, 4), dtype=np.float32)
    with pytest.raises(ValueError, match=r"8000 rows.*8001.*conjugate gradients"):
        spectrum.dual_eigh(big, None)


def test_default_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MGDM_JAX_CACHE", str(tmp_path))
    assert spectrum.default_cache_dir() == tmp_path
    monkeypatch.delenv("MGDM_JAX_CACHE")
    assert spectrum.default_cache_dir().parts[-2:] == (".cache", "mgdm_jax")


def test_gains():
    s2 = jnp.array([0.0, 1e-9, 0.5, 1.0])
    lam = jnp.float32(0.5)
    got = spectrum.proximal_gain(lam)(s2)
    np.testing.assert_allclose(got, 1 / (s2 + 0.5), rtol=1e-6)
    np.testing.assert_allclose(
        spectrum.proximal_gain(jnp.float32(0.0))(s2), [0.0, 0.0, 2.0, 1.0]
    )
    np.testing.assert_allclose(
        spectrum.pseudo_inverse_gain(0.6)(s2), [0.0, 0.0, 0.0, 1.0]
    )


def test_gain_has_a_finite_gradient_in_lambda():
    def total(lam):
        return spectrum.proximal_gain(lam)(jnp.array([0.0, 1.0])).sum()

    assert jax.grad(total)(jnp.float32(0.0)) == -1.0
