"""Make the embedded sample: halve the source volumes by 2×2 averaging.

    python experiments/build_sample.py --brain brain_t1.h5 --chest chest_ct.h5

The sources hold 240×240 brains (uint8, 255 = 1.0) and 320×320 chests (int16 HU);
`experiments/rebuild_volumes.py` re-creates them from published packages. Written to
`mgdm_jax/assets/sample/` as 120×120 and 160×160 in the same dtypes and layout.
"""

import argparse
import pathlib
from typing import Any

import h5py
import numpy as np

SAMPLE = pathlib.Path(__file__).parents[1] / "mgdm_jax" / "assets" / "sample"


def halve(volume: np.ndarray) -> np.ndarray:
    """Return the volume [n, h/2, w/2], each pixel the rounded mean of 2×2 pixels.

    Args:
      volume: [n, h, w] integers, h and w even.
    """
    n, h, w = volume.shape
    blocks = volume.reshape(n, h // 2, 2, w // 2, 2).astype(np.float64)
    return np.rint(blocks.mean((2, 4))).astype(volume.dtype)


def build(source: pathlib.Path, target: pathlib.Path) -> None:
    """Write every dataset of `source`, halved, with all attributes, to `target`."""
    old: Any  # h5py's types know no names
    with h5py.File(source) as old, h5py.File(target, "w") as new:
        new.attrs.update(old.attrs)
        new.attrs["pixel_mm"] = 2 * old.attrs["pixel_mm"]
        for name in (f"{split}/{subject}" for split in old for subject in old[split]):
            volume = halve(old[name][()])
            dataset = new.create_dataset(
                name,
                data=volume,
                chunks=(8, *volume.shape[1:]),
                compression="gzip",
                compression_opts=9,
                shuffle=True,
            )
            dataset.attrs.update(old[name].attrs)
            print(f"{name}: {volume.shape} {volume.dtype}")
    print(f"{target}: {target.stat().st_size / 2**20:.1f} MiB")


def main() -> None:
    """Read the two paths and build both files."""
    parser = argparse.ArgumentParser(description="Make the embedded sample.")
    parser.add_argument("--brain", type=pathlib.Path, required=True)
    parser.add_argument("--chest", type=pathlib.Path, required=True)
    args = parser.parse_args()
    SAMPLE.mkdir(parents=True, exist_ok=True)
    build(args.brain, SAMPLE / "brain_t1.h5")
    build(args.chest, SAMPLE / "chest_ct.h5")


if __name__ == "__main__":
    main()
