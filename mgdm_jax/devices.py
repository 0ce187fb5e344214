"""Batches split over devices; the only place that names a mesh.

On a CPU each core can be a device with its part of the batch: cores then stay busy
where one program leaves them waiting. `JAX_NUM_CPU_DEVICES` says how many there are.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

_AXIS = "batch"
ROWS, COLUMNS = "candidates", "images"
"""Axes of a table's mesh."""


def mesh(devices: Sequence[Any] | None = None, at_most: int | None = None) -> Mesh:
    """Return a mesh of one axis over the devices, by default all of this process.

    Those of other processes are theirs: what is computed here waits for nobody.

    Args:
      devices: those to take.
      at_most: how many there is work for.
    """
    chosen = (devices or jax.local_devices())[:at_most]
    return Mesh(np.asarray(chosen), (_AXIS,))


def table(rows: int, columns: int) -> Mesh:
    """Return a mesh of two axes: candidates first, images where devices are left.

    Args:
      rows: candidates that there are at once.
      columns: images.
    """
    devices = jax.local_devices()
    n_rows = min(rows, len(devices))
    n_columns = min(columns, len(devices) // n_rows)
    chosen = np.asarray(devices[: n_rows * n_columns])
    return Mesh(chosen.reshape(n_rows, n_columns), (ROWS, COLUMNS))


def split(mesh: Mesh, tree: Any) -> Any:
    """Place arrays so that each device holds its part of their first axis.

    Arrays whose first axis does not divide evenly lie whole on every device.
    """

    def place(leaf: Any) -> jax.Array:
        even = np.shape(leaf)[0] % mesh.size == 0
        axis = PartitionSpec(_AXIS) if even else PartitionSpec()
        return jax.device_put(leaf, NamedSharding(mesh, axis))

    return jax.tree.map(place, tree)


def replicate(mesh: Mesh, tree: Any) -> Any:
    """Place arrays whole on every device."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


def padded(n: int, mesh: Mesh, axis: str | None = None) -> int:
    """Return the least multiple of the devices, of an axis, that is at least n."""
    count = mesh.shape[axis] if axis else mesh.size
    return -(-n // count) * count


def per_device(mesh: Mesh, batched: Callable, in_axes: Sequence[Any]) -> Callable:
    """Return `batched` run on each device's part alone: no communication between them.

    Args:
      mesh: devices.
      batched: function of arrays with a batch axis first, such as a `jax.vmap`.
      in_axes: of each argument, as `jax.vmap` takes them: 0 split, None whole; trees of
        them are prefixes of the argument's.
    """
    return _shared(mesh, batched, _specs(in_axes, _AXIS), PartitionSpec(_AXIS))


def per_cell(
    mesh: Mesh, rows: Callable, in_rows: Sequence[Any], in_columns: Sequence[Any]
) -> Callable:
    """Return `rows` run on each device's part of a table alone, as `per_device`.

    Args:
      mesh: of `table`.
      rows: function of arrays, of which no argument has both axes, to arrays that have:
        candidates first, then images.
      in_rows: 0 of each argument, or part, that has an axis of candidates, else None.
      in_columns: the same of images.
    """
    of_rows, of_columns = _specs(in_rows, ROWS), _specs(in_columns, COLUMNS)
    specs = tuple(
        columns if row == PartitionSpec() else row
        for row, columns in zip(of_rows, of_columns, strict=True)
    )
    return _shared(mesh, rows, specs, PartitionSpec(ROWS, COLUMNS))


def _specs(in_axes: Sequence[Any], name: str) -> tuple:
    def spec(axis: int | None) -> PartitionSpec:
        return PartitionSpec() if axis is None else PartitionSpec(name)

    return jax.tree.map(spec, tuple(in_axes), is_leaf=lambda axis: axis is None)


def _shared(
    mesh: Mesh, function: Callable, in_specs: tuple, out_specs: PartitionSpec
) -> Callable:
    return jax.shard_map(
        function,
        mesh=mesh,
        in_specs=in_specs,
        out_specs=out_specs,
        # The loops' counters and scalars would each need a cast to "varying".
        check_vma=False,
    )
