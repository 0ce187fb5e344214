"""A supervised network for T1 brains at 8x, equispaced columns: the rival of table 4.

Stands in for DuDoRNet (Zhou & Zhou, 2020). Images and network of the prior brain_t1,
from whose weights it starts, but trained on pairs of one sampling pattern.

    python -m mgdm_jax.train --config configs/supervised/brain_t1_8x.py
"""

from mgdm_jax.training import defaults


def get_config(arg: str = "") -> defaults.Config:
    config = defaults.supervised_training()
    config.name = "supervised_brain_t1_8x"
    config.init = "brain_t1"
    config.task.acceleration = 8.0
    return defaults.shorten(config, arg)
