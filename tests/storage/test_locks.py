"""Who is at work in a folder."""

import errno
import os

import pytest

from mgdm_jax.storage import locks


def test_who_looks_sees_the_one_inside_and_keeps_nobody_out(tmp_path):
    path = tmp_path / ".lock"
    assert not locks.held(path) and not path.exists()
    with locks.present(path) as first:
        assert first.alone and locks.held(path)
        first.share()
        assert not locks.held(path)
    with locks.present(path) as second:
        assert second.alone


def test_a_shared_lock_may_read(tmp_path):
    """NFS grants none on a file that is open for writing alone."""
    with locks.present(tmp_path / ".lock") as presence:
        assert presence.file.readable()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_one_line(number, tmp_path, monkeypatch):
    """It was `[Errno 38] Function not implemented`, and a file that stayed."""

    def unlocked(file, how):
        raise OSError(number, os.strerror(number))

    path = tmp_path / ".lock"
    monkeypatch.setattr(locks.fcntl, "flock", unlocked)
    message = rf"{path} cannot be locked \({os.strerror(number)}\): .* another file sys"
    for lock in (locks.present, locks.turn):
        with pytest.raises(ValueError, match=message), lock(path):
            pass
        assert not path.exists()
    with pytest.raises(ValueError, match=message):
        locks.check(path)
    with pytest.raises(ValueError, match="cannot be locked"):
        locks.check(tmp_path / "parts" / ".lock")
    assert not list(tmp_path.iterdir())
    path.touch()
    with pytest.raises(ValueError, match=message):
        locks.held(path)
    with pytest.raises(ValueError, match=message), locks.turn(path):
        pass
    assert path.exists()
