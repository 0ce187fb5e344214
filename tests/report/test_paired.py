"""Which of two runs is the better one, by each measure."""

from types import SimpleNamespace

import numpy as np

from mgdm_jax.report import paired


def test_better_is_less_error():
    first = {"nmse": np.array([0.2, 0.4]), "psnr": np.array([20.0, 30.0])}
    other = {"nmse": np.array([0.1, 0.3]), "psnr": np.array([21.0, 31.0])}
    runs = [SimpleNamespace(scores=scores) for scores in (first, other)]
    psnr, nmse = paired.differences(*runs)
    assert (psnr.measure, nmse.measure) == ("PSNR / dB", "NMSE")
    assert psnr.n_better == nmse.n_better == 2
    assert psnr.mean == 1 and nmse.mean < 0
    other["nmse"] = np.array([0.1, 0.5])
    assert paired.differences(*runs)[1].n_better == 1
