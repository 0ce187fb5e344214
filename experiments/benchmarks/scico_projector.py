"""Times scico's projector; `projectors` starts it in an environment of its own.

    python scico_projector.py FOLDER VIEWS ROUNDS

FOLDER holds image.npy; facts.json is written beside it.
"""

import json
import sys
import time
from pathlib import Path

import jax
import numpy as np
import scico  # type: ignore[import-not-found]
from scico.linop.xray import XRayTransform2D  # type: ignore[import-not-found]


def main(folder: Path, n_views: int, rounds: int) -> None:
    """Write the least seconds of projection and adjoint, and the version."""
    image = jax.numpy.asarray(np.load(folder / "image.npy"))
    angles = np.arange(n_views) * (np.pi / n_views)
    operator = XRayTransform2D(image.shape, angles, det_count=image.shape[1])
    forward, adjoint = jax.jit(operator.__call__), jax.jit(operator.adj)
    sinogram = forward(image)
    seconds = []
    for call, given in ((forward, image), (adjoint, sinogram)):
        jax.block_until_ready(call(given))
        taken = []
        for _ in range(rounds):
            started = time.perf_counter()
            jax.block_until_ready(call(given))
            taken.append(time.perf_counter() - started)
        seconds.append(min(taken))
    facts = {"seconds": seconds, "version": scico.__version__}
    (folder / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
