"""What is known of a prior before it is trained: where from, on whom, in what units."""

from pathlib import Path

from mgdm_jax import priors
from mgdm_jax.defaults import Config


def donor(config: Config) -> str:
    """Return the prior to start from: "auto" is the shipped one of the same name."""
    if config.init != "auto":
        return config.init
    return config.name if config.name in priors.shipped() else ""


def make(config: Config) -> priors.PriorSpec:
    """Return the facts that travel with the weights."""
    data = config.data
    drawn_from = Path(data.path).name if data.path else data.subjects
    started_from = donor(config)
    before = priors.met(priors.load(started_from)[0]) if started_from else []
    met = ",".join(sorted({*drawn_from.split(","), *before}))
    facts = {"subjects": drawn_from, "met": met, "started_from": started_from}
    if config.loss.prediction == "image":
        facts["task"] = config.task.to_dict()
    return priors.PriorSpec(
        name=config.name,
        network=config.network.to_dict(),
        prediction=config.loss.prediction,
        schedule=config.loss.schedule,
        scale=config.units.scale,
        offset=config.units.offset,
        low=config.units.low,
        high=config.units.high,
        training=facts,
    )
