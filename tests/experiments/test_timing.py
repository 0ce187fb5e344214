"""Lines of the benchmarks, as programs read them."""

from experiments.benchmarks import timing


def test_a_line_ends_in_the_ratio_to_the_ideal():
    line = timing.against_ideal("mgdm   batch=1", 0.2, 0.25)
    assert line == "mgdm   batch=1 ideal=200.0ms step=250.0ms ratio=1.25"
