"""How many candidates of a sweep are in memory at once."""

import re

import numpy as np
import pytest
import tiny
from test_configs import ROOT, load

from mgdm_jax import sweep
from mgdm_jax.sweeping import evaluation, setup


@pytest.fixture
def config(tmp_path):
    """Return four candidates, at once, on two images."""
    made = load(ROOT / "mri_brats.py", "smoke")
    made.prior.path = tiny.write_prior(tmp_path)
    made.data.split, made.data.subject, made.data.n_images = "train", "itk_mprage", 2
    made.method, made.sampler.n_steps, made.sampler.eta = "mgdm_no_ir", 2, 0.85
    made.sweep.lam = (0.1, 0.2, 0.3, 0.4)
    return made


def test_fewer_at_once_where_more_would_pass_the_bound(config, tmp_path, monkeypatch):
    """XLA's own account of the program that runs stays under `sweep.memory`."""
    made = setup.make(config, tmp_path)

    def gigabytes(size):
        program = setup._program(made, 2, size)
        return 1e-9 * program.taken() * program.n_devices

    one, two, four = map(gigabytes, (1, 2, 4))
    image = 4e-9 * np.prod(made.prior.image_shape)
    assert one < two < four and two - one > 2 * image
    config.sweep.memory = (two + four) / 2
    sizes, make = [], evaluation.make
    with monkeypatch.context() as patch:

        def spied(*arguments, **named):
            sizes.append(named["n_candidates"])
            return make(*arguments, **named)

        patch.setattr(evaluation, "make", spied)
        rows = sweep.run(setup.make(config, tmp_path / "bound"))
    assert sizes == [1, 4, 2, 2]  # looked at, looked at, fits, runs
    config.sweep.memory, config.sweep.batch_size = None, 1
    want = sweep.run(setup.make(config, tmp_path / "one by one"))
    np.testing.assert_allclose(rows, want, rtol=1e-4)
    config.sweep.memory = one / 2
    message = f"one candidate takes {one:.2g} GB, more than sweep.memory="
    with pytest.raises(ValueError, match=re.escape(message)):
        setup.make(config, tmp_path / "none")
    assert not (tmp_path / "none").exists()
