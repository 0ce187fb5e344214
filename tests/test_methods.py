"""Names become steps; what cannot work is refused."""

import jax
import method_cases as cases
import numpy as np
import pytest

from mgdm_jax import defaults, methods


def config(method):
    made = defaults.reconstruction()
    made.method = method
    return made


def test_unknown_method_is_refused_with_the_names():
    with pytest.raises(ValueError, match=r"mgdm, .*got 'mgmd'"):
        methods.make_step(config("mgmd"))


@pytest.mark.parametrize("method", ["ddnm_plus", "ddrm"])
def test_spectral_methods_refuse_other_solvers(method):
    made = config(method)
    made.guidance.proximal = "cg"
    with pytest.raises(ValueError, match="spectrum"):
        methods.make_step(made)


def test_dds_is_five_steps_of_cg(key):
    """Run to convergence it is the ablation of the same λ; stopped, it is not."""
    prior, problem, _ = cases.gaussian_case("ct")
    numbers = cases.guidance(lam=1e-3)
    images = {}
    for n in (None, 60):
        made = config("dds")
        made.guidance.cg_steps = n
        step = methods.make_step(made)
        run = jax.jit(lambda k, s=step: cases.run(k, s, prior, problem, numbers)[0])
        images[n] = np.asarray(run(key))
    want = jax.jit(lambda k: cases.run(k, "mgdm_no_ir", prior, problem, numbers)[0])
    np.testing.assert_allclose(images[60], want(key), atol=1e-4)
    assert np.abs(images[None] - images[60]).max() > 1e-4
