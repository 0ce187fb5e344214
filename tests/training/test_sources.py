"""Which images a training follows."""

import numpy as np
from test_prepared_images import prepared_file

from mgdm_jax.data import prepared
from mgdm_jax.training import defaults, sources


def test_the_split_that_is_followed_is_named(tmp_path, rng):
    path = prepared_file(tmp_path, rng)
    config = defaults.prior_training()
    config.data.path, config.data.n_validation = str(path), 2
    found = sources.monitored(config)
    for name, split in {"train": "train", "val": "validation"}.items():
        want = prepared.spread(path, split, 2).images
        np.testing.assert_array_equal(found[name][..., 0], want)
