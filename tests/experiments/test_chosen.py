"""The numbers of the package are those that the searches chose."""

import shutil

import pytest
from test_configs import ROOT

from experiments import chosen
from mgdm_jax import tuned

SEARCHES = ROOT.parent / "experiments" / "tuning"

TEXT = """
OTHER = {
    "4": {
        "dps": (9.0, 0.0, 0.0, 1.0),
    },
}
CT = {
    "4": {
        "dps": (1.0, 0.0, 0.0, 1.0),
        "dps_1000": (2.0, 0.0, 0.0, 1.0),
    },
    "4_noisy": {
        "dps": (3.0, 0.0, 0.0, 1.0),
    },
}
"""


def test_every_search_is_in_the_package():
    found = list(chosen.choices(SEARCHES))
    assert len(found) > 100
    assert [choice for choice in found if not choice.is_known()] == []


def test_every_level_of_the_package_was_searched():
    found = {(choice.table, choice.level) for choice in chosen.choices(SEARCHES)}
    for table in chosen.TABLES.values():
        for level in getattr(tuned, table):
            assert (table, level) in found


def test_a_choice_replaces_its_row_and_no_other():
    choice = chosen.Choice("CT", "4", "dps", (8 / 3, 1e-4 / 3, 0.0, 1.0))
    want = TEXT.replace("(1.0, 0.0, 0.0, 1.0)", "(2.67, 3.33e-5, 0.0, 1.0)")
    assert chosen.written(TEXT, choice) == want


def test_a_new_row_is_added_to_its_level():
    choice = chosen.Choice("CT", "4_noisy", "ddnm", (0.0, 0.0, 0.0, 0.9))
    got = chosen.written(TEXT, choice)
    assert got.endswith('1.0),\n        "ddnm": (0.0, 0.0, 0.0, 0.9),\n    },\n}\n')


def test_an_absent_level_is_said():
    with pytest.raises(ValueError, match=r"CT has no level 8; add it"):
        chosen.written(TEXT, chosen.Choice("CT", "8", "dps", (1.0, 0.0, 0.0, 1.0)))
    with pytest.raises(ValueError, match=r"OTHER has no level 4_noisy"):
        chosen.written(TEXT, chosen.Choice("OTHER", "4_noisy", "dps", 4 * (1.0,)))


def test_searches_beside_the_agenda_s_are_no_choices(tmp_path):
    for path in SEARCHES.glob("mri_brats-*.json"):
        shutil.copy(path, tmp_path / path.name.replace("100steps", "50steps"))
    assert any(tmp_path.iterdir())
    assert list(chosen.choices(tmp_path)) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.0"), (8 / 3, "2.67"), (1e-4 / 3, "3.33e-5"), (0.001, "1e-3"), (1, "1.0")],
)
def test_numbers_have_three_digits(value, text):
    assert chosen.printed(value) == text
    assert float(text) == pytest.approx(value, rel=chosen.AGREES)
