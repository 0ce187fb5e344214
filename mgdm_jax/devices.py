"""Batches split over devices; the only place that names a mesh.

On a CPU each core can be a device with its part of the batch: cores then stay busy
where one program leaves them waiting. `JAX_NUM_CPU_DEVICES` says how many there are.
"""

import math
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


def table(n_candidates: int, n_images: int) -> Mesh:
    """Return the mesh of two axes whose devices get least of a table each.

    Args:
      n_candidates: at once; of meshes alike the one that splits these most.
      n_images: of each.
    """
    devices = jax.local_devices()
    most = range(min(n_candidates, len(devices)), 0, -1)
    shapes = [(rows, min(n_images, len(devices) // rows)) for rows in most]

    def cells(shape: tuple[int, int]) -> int:
        return math.ceil(n_candidates / shape[0]) * math.ceil(n_images / shape[1])

    rows, columns = min(shapes, key=cells)
    chosen = np.asarray(devices[: rows * columns])
    return Mesh(chosen.reshape(rows, columns), (ROWS, COLUMNS))


def split(mesh: Mesh, tree: Any) -> Any:
    """Place arrays so that each device holds its part of their first axis.

    Of several processes each is given all of them.

    Arrays whose first axis does not divide evenly lie whole on every device.
    """

    def place(leaf: Any) -> jax.Array:
        even = np.shape(leaf)[0] % mesh.size == 0
        axis = PartitionSpec(_AXIS) if even else PartitionSpec()
        return jax.device_put(leaf, NamedSharding(mesh, axis))

    return jax.tree.map(place, tree)


def joined(mesh: Mesh, part: np.ndarray) -> jax.Array:
    """Return the array of which each process has its part of the first axis, in turn.

    Args:
      mesh: of the devices of all processes, which get even parts.
      part: this process's.
    """
    sharding = NamedSharding(mesh, PartitionSpec(_AXIS))
    return jax.make_array_from_process_local_data(sharding, part)


def replicate(mesh: Mesh, tree: Any) -> Any:
    """Place arrays whole on every device."""
    return jax.device_put(tree, whole(mesh))


def whole(mesh: Mesh) -> NamedSharding:
    """Return the layout of arrays that every device has whole."""
    return NamedSharding(mesh, PartitionSpec())


def padded(n: int, mesh: Mesh, axis: str | None = None) -> int:
    """Return the least multiple of the devices, of an axis, that is at least n."""
    count = mesh.shape[axis] if axis else mesh.size
    return -(-n // count) * count


def taken(program: Any) -> int:
    """Return the bytes of a compiled program on each device, by XLA's own account.

    Its arguments, results and what it works in.

    Raises:
      ValueError: if the device's compiler gives no account.
    """
    found = program.memory_analysis()
    if found is None:
        raise ValueError(
            f"{jax.default_backend()} gives no account of a program's memory; say how "
            "much to take at once by sampler.batch_size and sweep.batch_size."
        )
    return (
        found.argument_size_in_bytes
        + found.output_size_in_bytes
        + found.temp_size_in_bytes
    )


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
    mesh: Mesh, batched: Callable, in_rows: Sequence[Any], in_columns: Sequence[Any]
) -> Callable:
    """Return `batched` run on each device's part of a table alone, as `per_device`.

    Args:
      mesh: of `table`.
      batched: function of arrays, of which no argument has both axes, to arrays that
        have: candidates first, then images.
      in_rows: 0 for each argument that has an axis of candidates, else None.
      in_columns: of the others, as `per_device`'s in_axes.
    """
    of_rows, of_columns = _specs(in_rows, ROWS), _specs(in_columns, COLUMNS)
    specs = tuple(
        columns if row == PartitionSpec() else row
        for row, columns in zip(of_rows, of_columns, strict=True)
    )
    return _shared(mesh, batched, specs, PartitionSpec(ROWS, COLUMNS))


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
