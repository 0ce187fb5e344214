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
