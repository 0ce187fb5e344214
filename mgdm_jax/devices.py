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


def mesh(devices: Sequence[Any] | None = None, at_most: int | None = None) -> Mesh:
    """Return a mesh of one axis over the devices, by default all of this process.

    Those of other processes are theirs: what is computed here waits for nobody.

    Args:
      devices: those to take.
      at_most: how many there is work for.
    """
    chosen = (devices or jax.local_devices())[:at_most]
    return Mesh(np.asarray(chosen), (_AXIS,))


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


def padded(n: int, mesh: Mesh) -> int:
    """Return the least multiple of the mesh's devices that is at least n."""
    return -(-n // mesh.size) * mesh.size


def per_device(mesh: Mesh, batched: Callable, in_axes: Sequence[Any]) -> Callable:
    """Return `batched` run on each device's part alone: no communication between them.

    Args:
      mesh: devices.
      batched: function of arrays with a batch axis first, such as a `jax.vmap`.
      in_axes: of each argument, as `jax.vmap` takes them: 0 split, None whole; trees of
        them are prefixes of the argument's.
    """

    def spec(axis: int | None) -> PartitionSpec:
        return PartitionSpec() if axis is None else PartitionSpec(_AXIS)

    specs = jax.tree.map(spec, tuple(in_axes), is_leaf=lambda axis: axis is None)
    return jax.shard_map(
        batched,
        mesh=mesh,
        in_specs=specs,
        out_specs=PartitionSpec(_AXIS),
        # The loops' counters and scalars would each need a cast to "varying".
        check_vma=False,
    )
