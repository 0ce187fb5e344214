"""A search that is killed goes on where it was, and ends as if it had not been."""

import numpy as np
import pytest

from experiments import ascent, remembering, search

SPACE = search.SPACES["mgdm_no_r"]
START = search.start("mgdm_no_r")
SETTINGS = {"slices": 4}


def landscape(asked, lives=np.inf):
    def evaluate(rows):
        if len(asked) + len(rows) > lives:
            raise KeyboardInterrupt
        asked.extend(rows)
        return np.array([-abs(np.log(row["zeta"] / 3)) - row["lam"] for row in rows])

    return evaluate


def searched(path, evaluate, settings=SETTINGS, chunk=2):
    """Return what both stages tried."""
    both = []
    best = START
    for stage in (ascent.descend, ascent.climb):
        kept = remembering.remembering(evaluate, path, settings, stage.__name__, chunk)
        tried = []
        best = stage(SPACE, kept, best, tried)
        both.append(tried)
    return both


def test_a_finished_search_is_recalled_and_asked_nothing(path):
    asked = []
    descended, climbed = searched(path, landscape(asked))
    path.unlink()
    tried = {"descend": descended, "climb": climbed}
    known = {"settings": SETTINGS, "tried": tried, "seconds": 30.0}
    remembering.recall(path, known)
    assert searched(path, landscape(asked, lives=len(asked))) == [descended, climbed]
    assert remembering.seconds(path, SETTINGS) == pytest.approx(30, rel=0.1)
    remembering.recall(path, known | {"tried": {"descend": descended[:1]}})
    assert searched(path, landscape(asked, lives=len(asked))) == [descended, climbed]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ct-23views-dps.partial.json"


@pytest.mark.parametrize("lives", [3, 8, 21])
def test_nothing_is_asked_twice(path, lives, tmp_path):
    whole = []
    want = searched(tmp_path / "whole.json", landscape(whole))
    before, after = [], []
    with pytest.raises(KeyboardInterrupt):
        searched(path, landscape(before, lives))
    assert 0 < len(before) < len(whole)
    assert searched(path, landscape(after)) == want
    assert before + after == whole
    assert searched(path, landscape([], lives=0)) == want


def test_other_settings_are_begun_anew(path):
    first, second = [], []
    searched(path, landscape(first))
    assert remembering.seconds(path, SETTINGS) >= 0.0
    searched(path, landscape(second), {"slices": 1})
    assert first == second
    assert remembering.seconds(path, SETTINGS) == 0.0


def test_each_answer_is_told_and_timed(path, capsys, monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(remembering.time, "monotonic", lambda: float(next(clock)))
    evaluate = landscape([])
    kept = remembering.remembering(evaluate, path, SETTINGS, "descend", 1)
    kept([START | {"zeta": 3.0}, START | {"zeta": 6.0}])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and "'zeta': 6.0" in lines[1] and "1.0 s" in lines[1]
    assert remembering.seconds(path, SETTINGS) == 2.0
