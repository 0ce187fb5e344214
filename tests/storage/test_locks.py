"""Who is at work in a folder."""

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
