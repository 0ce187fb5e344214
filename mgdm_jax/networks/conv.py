"""A convolution whose backward pass stays fast inside `lax.scan` on CPU.

The convolutions that automatic differentiation emits carry a transposed kernel
layout (`01oi` in HLO). XLA:CPU rewrites them into its fast form in the entry
computation only, not inside a loop body, where they run 6-20 times slower
(jax-ml/jax#12868). Writing the image gradient directly as a forward convolution in
NHWC/HWIO order avoids the rewrite; on GPU and TPU it is recognised as well.

Maps of a few pixels are a product of matrices instead, whose gradients are products as
well: XLA:CPU's convolution takes up to 25 times as long there (2 x 2, 512 channels).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from mgdm_jax.types import Array

_LAYOUT = ("NHWC", "HWIO", "NHWC")

FEW = 64
"""Pixels of a map, at most, of which a product of matrices is made."""


def canonical_conv(
    image: Array,
    kernel: Array,
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: object = None,
    feature_group_count: int = 1,
    precision: lax.PrecisionLike = None,
    preferred_element_type: jax.typing.DTypeLike | None = None,
    out_sharding: object = None,
) -> Array:
    """Convolve as `lax.conv_general_dilated`, for `nnx.Conv(conv_general_dilated=…)`.

    Args:
      image: [b, h, w, i].
      kernel: [kh, kw, i, o].
      window_strides: strides of the two spatial axes.
      padding: (low, high) of the two spatial axes; each at most the kernel size - 1.
      lhs_dilation: must be 1.
      rhs_dilation: must be 1.
      dimension_numbers: ignored; NHWC, HWIO, NHWC.
      feature_group_count: must be 1.
      precision: passed on.
      preferred_element_type: ignored; the output has the inputs' dtype.
      out_sharding: ignored; the compiler shards.

    Returns:
      [b, h', w', o].

    Raises:
      ValueError: for dilated or grouped convolutions.
    """
    del dimension_numbers, preferred_element_type, out_sharding
    dilations = (*(lhs_dilation or ()), *(rhs_dilation or ()))
    if feature_group_count != 1 or any(d != 1 for d in dilations):
        raise ValueError(
            "canonical_conv supports neither groups nor dilation, got "
            f"feature_group_count={feature_group_count}, dilations={dilations}."
        )
    pads = tuple((int(low), int(high)) for low, high in padding)
    height, width = (
        image.shape[axis + 1] + sum(pads[axis]) - kernel.shape[axis] + 1
        for axis in (0, 1)
    )
    if tuple(window_strides) == (1, 1) and height * width <= FEW:
        padded = jnp.pad(image, ((0, 0), *pads, (0, 0)))
        return _product(padded, kernel, height, width, precision)
    return _conv(image, kernel, tuple(window_strides), pads, precision)


def _product(padded, kernel, height, width, precision):
    """Multiply the patches of a padded image [b, ·, ·, i] with the kernel's matrix."""
    patches = [
        padded[:, row : row + height, column : column + width]
        for row in range(kernel.shape[0])
        for column in range(kernel.shape[1])
    ]
    matrix = kernel.reshape(-1, kernel.shape[-1])
    return jnp.matmul(jnp.concatenate(patches, axis=-1), matrix, precision=precision)


def _conv_raw(image, kernel, strides, padding, precision):
    return lax.conv_general_dilated(
        image,
        kernel,
        strides,
        padding,
        dimension_numbers=_LAYOUT,
        precision=precision,
    )


_conv = jax.custom_vjp(_conv_raw, nondiff_argnums=(2, 3, 4))


def _conv_fwd(image, kernel, strides, padding, precision):
    # Leafless trees: a residual's structure is static, its values are traced.
    wanted = tuple(() if x.perturbed else None for x in (image, kernel))
    image, kernel = image.value, kernel.value
    return _conv_raw(image, kernel, strides, padding, precision), (
        image,
        kernel,
        wanted,
    )


def _conv_bwd(strides, padding, precision, residuals, cotangent):
    """Return the gradients that somebody wants; sampling never wants the kernel's.

    It would be traced for nothing, and JAX cannot batch it twice inside `shard_map`.
    """
    image, kernel, (wants_image, wants_kernel) = residuals
    image_grad = kernel_grad = None
    if wants_image is not None:
        image_grad = _image_gradient(
            cotangent, kernel, image.shape, strides, padding, precision
        )
    if wants_kernel is not None:
        _, pullback = jax.vjp(
            lambda k: _conv_raw(image, k, strides, padding, precision), kernel
        )
        (kernel_grad,) = pullback(cotangent)
    return image_grad, kernel_grad


_conv.defvjp(_conv_fwd, _conv_bwd, symbolic_zeros=True)


def _image_gradient(cotangent, kernel, image_shape, strides, padding, precision):
    """Convolve the spread and padded cotangent with the flipped, swapped kernel."""
    pads = [(0, 0, 0)]
    for axis in (0, 1):
        size, stride = kernel.shape[axis], strides[axis]
        spread = (cotangent.shape[axis + 1] - 1) * stride + 1
        low = size - 1 - padding[axis][0]
        high = image_shape[axis + 1] - spread - low + size - 1
        pads.append((low, high, stride - 1))
    pads.append((0, 0, 0))
    if all(interior == 0 for *_, interior in pads):
        # XLA folds plain padding into the convolution; lax.pad would copy.
        outer = [(low, high) for low, high, _ in pads[1:3]]
    else:
        cotangent = lax.pad(cotangent, jnp.zeros((), cotangent.dtype), pads)
        outer = [(0, 0), (0, 0)]
    flipped = jnp.swapaxes(kernel[::-1, ::-1], 2, 3)
    return _conv_raw(cotangent, flipped, (1, 1), outer, precision)
