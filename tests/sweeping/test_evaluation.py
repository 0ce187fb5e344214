"""A candidate's scores are those that `run` would give it."""

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import factory, metrics
from mgdm_jax.measurements import Measurements
from mgdm_jax.operators import projection, radon
from mgdm_jax.sweeping import evaluation
from mgdm_jax.types import Guidance


def test_a_candidate_is_judged_within_what_ct_sees():
    operator = radon.parallel_beam([0.0, 60.0, 120.0], 16)
    region = projection.inscribed_circle(16)
    reference = np.float32(region * np.random.default_rng(0).random((2, 16, 16)))
    y = jax.vmap(operator.forward)(jnp.asarray(reference))
    measured = Measurements(operator, y, 0.0, reference, np.ones(2), region, {})
    prior = factory.Prior(None, {}, None, (16, 16), 1.0, 0.0)
    evaluate = evaluation.make(
        jax.random.key(0),
        lambda *_: (jnp.ones((16, 16)), None),
        prior,
        measured,
        n_candidates=1,
        n_images=2,
    )
    outcome = evaluate(Guidance(*jnp.ones((4, 1))))
    want = [metrics.psnr(x, jnp.float32(region)) for x in jnp.asarray(reference)]
    np.testing.assert_allclose(outcome.scores.psnr[0], want, rtol=1e-5)
