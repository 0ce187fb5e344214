"""The images a network is trained on, and those its losses are followed on."""

import logging

import numpy as np

from mgdm_jax import measurements
from mgdm_jax.data import pipelines, plain_slices, prepared, wanted
from mgdm_jax.defaults import Config


def make_source(
    config: Config,
) -> pipelines.AugmentedSlices | pipelines.PreparedSlices:
    """Return the training images: the user's prepared ones, or the embedded sample's.

    Raises:
      ValueError: if there are none, or they do not fit the network.
    """
    data, seed = config.data, config.train.seed
    if data.path:
        wanted.check_modality(data.path, ct=data.modality == "chest")
        source = pipelines.PreparedSlices(
            data.path, "train", channels=data.channels, seed=seed
        )
        _check_size(data.path, source, config.network.image_size)
        return source
    if not data.embedded:
        raise ValueError(
            "this configuration trains on data of yours; give --config.data.path, a "
            "file of `python -m mgdm_jax.prepare`."
        )
    source = pipelines.AugmentedSlices(
        data.modality, data.subjects.split(","), channels=data.channels, seed=seed
    )
    _check_size("the embedded sample", source, config.network.image_size)
    return source


def _check_size(
    name: str, source: pipelines.AugmentedSlices | pipelines.PreparedSlices, size: int
) -> None:
    measurements.check_size(name, source[0].shape[:2], (size, size))


def monitored(config: Config) -> dict[str, np.ndarray]:
    """Return un-augmented slices [n, h, w, c]: held back ("val") and seen ("train").

    Both losses side by side show whether the prior generalises.

    Args:
      config: see `defaults.prior_training` beside this.
    """
    data = config.data
    n, channels = data.n_validation, data.channels
    if data.path:
        present = prepared.summary(data.path)
        if not present["validation"].slices:
            logging.warning(
                "%s has no slice of split validation: no loss will tell whether the "
                "prior generalises; prepare it with subjects named by --validation.",
                data.path,
            )
        each = {
            name: prepared.spread(data.path, split, n).images
            for name, split in {"train": "train", "val": "validation"}.items()
            if present[split].slices
        }
        return {
            name: plain_slices.to_channels(data.path, images, channels)
            for name, images in each.items()
        }
    subjects = {"train": data.subjects.split(",")[0], "val": data.held_back}
    return {
        name: plain_slices.validation_slices(
            data.modality, subject, n, channels=channels
        )
        for name, subject in subjects.items()
        if subject
    }
