"""Every step of the agenda is a command that is there, after what it needs."""

import importlib.util

from experiments import agenda, rows, search

STEPS = list(agenda.steps(chunk=8, long_slices=16))


def test_steps_are_modules_under_names_of_their_own():
    names = [step.name for step in STEPS]
    assert len(names) == len(set(names)) > 300
    for module in {step.words[0] for step in STEPS}:
        assert importlib.util.find_spec(f"experiments.{module}")


def test_what_a_step_needs_comes_before_it():
    before = set()
    for step in STEPS:
        assert set(step.needs) <= before, step.name
        before.add(step.name)


def test_every_row_is_searched_and_computed_at_every_level():
    for task in agenda.TASKS:
        config = task.configured()
        stem = rows.level_name(config)
        for name in rows.applicable(config, list(search.SPACES)):
            found = [step for step in STEPS if step.name.endswith(f" {stem} {name}")]
            assert [step.words[0] for step in found[:2]] == ["tune", "compare"]


def test_a_step_starts_when_what_it_needs_is_done_or_not_asked_for():
    one, two = agenda.Step("one", ("a",)), agenda.Step("two", ("b",), ("one", "zero"))
    assert agenda.ready([one, two], set(), set()) == [one]
    assert agenda.ready([one, two], {"one"}, set()) == [two]
    assert agenda.ready([two], set(), set()) == [two]
    assert agenda.ready([one, two], set(), {"one"}) == []
