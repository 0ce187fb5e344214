import pytest

from mgdm_jax import prepare
from mgdm_jax.data import splits

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def test_subjects_are_split_by_their_names_alone():
    names = [f"subject-{i}" for i in range(4000)]
    made = splits.Splits(SHARES)
    found = [made.of(name) for name in names]
    assert found == [made.of(name) for name in names]
    for split, share in SHARES.items():
        assert found.count(split) / len(names) == pytest.approx(share, abs=0.02)
    assert {splits.Splits({"test": 1.0}).of(name) for name in names} == {"test"}


def test_named_subjects_are_where_they_are_wanted():
    names = [f"sub-{i:02d}" for i in range(1, 11)]
    by_hash = splits.parse(prepare.SHARES, [], [])
    assert by_hash.lacking({by_hash.of(n) for n in names}) == ["validation", "test"]
    made = splits.parse(prepare.SHARES, ["sub-03"], ["sub-07", "sub-08"])
    found = {name: made.of(name) for name in names}
    assert [n for n in names if found[n] == "test"] == ["sub-07", "sub-08"]
    assert [n for n in names if found[n] == "validation"] == ["sub-03"]
    assert not made.lacking(set(found.values()))
    assert splits.parse(["test=1"], [], []).lacking(["test"]) == []


def test_names_that_nobody_has():
    made = splits.parse(prepare.SHARES, [], ["sub-11"])
    made.check_known(["sub-11", "sub-12"])
    with pytest.raises(ValueError, match=r"--test names sub-11, .* there are a, b\."):
        made.check_known(["b", "a"])
    with pytest.raises(ValueError, match=r"there are 0, 1, .*, 7, …\."):
        made.check_known([str(i) for i in range(10)])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train=0.5"], "add up to 1"),
        (["train=1.5", "test=-0.5"], "add up to 1"),
        (["training=1"], "must give train, validation, test"),
        (["train"], "split=share"),
    ],
)
def test_shares_that_make_no_sense(words, message):
    with pytest.raises(ValueError, match=message):
        splits.parse(words, [], [])


def test_nobody_is_in_two_splits():
    with pytest.raises(ValueError, match="--validation and --test both name a"):
        splits.parse(prepare.SHARES, ["a", "b"], ["a"])
