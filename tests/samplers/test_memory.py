"""What the compiled sampler works in does not grow with its steps."""

from experiments.benchmarks import untrained


def test_memory_is_flat_in_the_steps():
    prior = untrained.prior(tiny=True)
    few, many = (untrained.account(prior, n_steps)[0] for n_steps in (5, 200))
    assert many < 1.01 * few
