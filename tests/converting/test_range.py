"""What a converted network is told to have been trained on images within."""

import dataclasses

import command_server
import numpy as np
import pytest
from test_convert import checkpoint, reduced, write

from mgdm_jax import priors


@pytest.mark.parametrize(
    ("channels", "words", "sent"),
    [
        (1, (), (-1.0, 1.0)),
        (1, ("--range=0,1",), (0.0, 1.0)),
        (2, (), (-1.0, 1.0)),
        (2, ("--range=0,1",), (0.0, 1.0)),
    ],
)
def test_the_range_is_what_the_network_saw(channels, words, sent, tmp_path):
    """The ends of the operator's range, [0, 1] or of both parts [-1, 1]."""
    config = dataclasses.replace(
        reduced("fastmri_knee_320" if channels == 2 else "aapm_256"), image_size=32
    )
    path = write(tmp_path, checkpoint(config))
    words = (path, "--image_size=32", "--n_head_channels=64", *words)
    done = command_server.run("convert", *words, "--out=out", cwd=tmp_path)
    assert done.code == 0, done.err
    spec, _ = priors.load(str(tmp_path / "out/prior.safetensors"))
    ends = np.array([spec.low, spec.high])
    np.testing.assert_allclose(spec.scale * ends + spec.offset, sent)


@pytest.mark.parametrize("words", ["1,0", "0", "a,b"])
def test_what_is_no_range_is_refused(words, tmp_path):
    config = dataclasses.replace(reduced("aapm_256"), image_size=32)
    path = write(tmp_path, checkpoint(config))
    more = ("--image_size=32", "--n_head_channels=64", f"--range={words}", "--out=out")
    done = command_server.run("convert", path, *more, cwd=tmp_path)
    assert done.code == 2 and "--range must be two rising numbers" in done.err
    assert not (tmp_path / "out").exists()
