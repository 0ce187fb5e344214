"""Published networks: every parameter's shape, enumerated a second time."""

import collections
import math

import jax
import pytest

from mgdm_jax.converting import presets
from mgdm_jax.networks import unet

# name -> (channels, base width, residual blocks, levels with attention, classes),
# then the published number of tensors and of parameters.
PUBLISHED = {
    "ffhq_10m": ((3, 128, 1, {4}, 0), 362, 93_563_910),
    "openai_256": ((3, 256, 2, {3, 4, 5}, 0), 566, 552_814_086),
    "openai_256_conditional": ((3, 256, 2, {3, 4, 5}, 1000), 567, 553_838_086),
    "aapm_256": ((1, 256, 1, {4}, 0), 362, 374_022_658),
    "fastmri_knee_320": ((2, 256, 1, set(), 0), 344, 361_428_228),
}


def norm(n):
    return [(n,), (n,)]


def conv(n_in, n_out, size=3):
    return [(size, size, n_in, n_out), (n_out,)]


def linear(n_in, n_out):
    return [(n_in, n_out), (n_out,)]


def attention(n):
    return norm(n) + linear(n, 3 * n) + linear(n, n)


def published_shapes(channels, base, n_blocks, attended, n_classes):
    """Return all shapes of an ADM network of six levels with learned variance."""
    embed, widths = 4 * base, [base * m for m in (1, 1, 2, 2, 4, 4)]

    def residual(n_in, n_out):
        skip = conv(n_in, n_out, 1) if n_in != n_out else []
        body = norm(n_in) + conv(n_in, n_out) + norm(n_out) + conv(n_out, n_out)
        return body + linear(embed, 2 * n_out) + skip

    def stage(level, n_in):
        extra = attention(widths[level]) if level in attended else []
        return residual(n_in, widths[level]) + extra

    shapes = linear(base, embed) + linear(embed, embed) + conv(channels, base)
    shapes += [(n_classes, embed)] if n_classes else []
    # What the encoder hands over: the stem, then each block and each halving.
    handed = [base]
    for level, width in enumerate(widths):
        for _ in range(n_blocks):
            shapes += stage(level, handed[-1])
            handed.append(width)
        if level < 5:
            shapes += residual(width, width)
            handed.append(width)
    width = widths[-1]
    shapes += residual(width, width) + attention(width) + residual(width, width)
    for level in range(5, -1, -1):
        for _ in range(n_blocks + 1):
            shapes += stage(level, width + handed.pop())
            width = widths[level]
        shapes += residual(width, width) if level else []
    return shapes + norm(base) + conv(base, 2 * channels)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_have_their_parameters(name):
    arguments, n_tensors, n_parameters = PUBLISHED[name]
    leaves = jax.tree.leaves(unet.abstract_params(presets.preset(name)))
    shapes = [leaf.shape for leaf in leaves]
    assert (len(shapes), sum(map(math.prod, shapes))) == (n_tensors, n_parameters)
    want = published_shapes(*arguments)
    assert collections.Counter(shapes) == collections.Counter(want)


def test_unknown_preset_lists_the_known():
    with pytest.raises(ValueError, match=r"preset must be ffhq_10m, .*'imagenet'"):
        presets.preset("imagenet")


def attention_blocks(params):
    return {
        (part, int(block))
        for part in ("input_blocks", "output_blocks")
        for block, layers in params[part].items()
        for layer in layers.values()
        if "qkv" in layer
    }


def test_attention_sits_where_the_published_code_puts_it():
    """For 320 and "16" the factor is 20, which no level has."""
    knee = unet.abstract_params(presets.preset("fastmri_knee_320"))
    assert attention_blocks(knee) == set()
    assert "qkv" in knee["middle_block"][1]
    ffhq = unet.abstract_params(presets.preset("ffhq_10m"))
    want = {("input_blocks", 9), ("output_blocks", 2), ("output_blocks", 3)}
    assert attention_blocks(ffhq) == want


def test_networks_of_aapm_scans_see_them_as_they_are():
    assert presets.sees("aapm_256") == (0.0, 1.0)
    assert presets.sees("fastmri_knee_320") == presets.sees(None) == (-1.0, 1.0)
