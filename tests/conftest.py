"""Strict numerics for every test, quick compilation, one key, one generator."""

import os

# Read when XLA first compiles: tiny problems take far longer to optimise than to run.
os.environ["XLA_FLAGS"] = (
    f"--xla_backend_optimization_level=0 {os.environ.get('XLA_FLAGS', '')}"
)
# Its threads spin while other workers compute: 50 times the CPU time of one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import numpy as np
import pytest
import tiny

# Its emitters of fused loops take most of that time, and what it splits a program into
# for several threads a quarter of the rest. XLA aborts at a flag it does not know, so
# that only versions get these that do.
if jax.__version_info__ < (0, 12):
    os.environ["XLA_FLAGS"] += " --xla_cpu_use_fusion_emitters=false"
    os.environ["XLA_FLAGS"] += " --xla_cpu_parallel_codegen_split_count=1"

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


def pytest_configure(config):
    """Compile each program once, and touch no cache of the user's.

    Workers share what they compile. Of what another has half written JAX warns, and
    compiles it itself.
    """
    folder = config.cache.mkdir("mgdm_jax")
    os.environ["MGDM_JAX_CACHE"] = str(folder)
    settings = {
        "jax_compilation_cache_dir": str(folder / "xla"),
        "jax_persistent_cache_min_compile_time_secs": 0,
    }
    for name, value in settings.items():
        jax.config.update(name, value)
        os.environ[name.upper()] = str(value)  # of scripts started by tests


def pytest_collection_modifyitems(items):
    """Begin with the longest, so that no worker waits for one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(0)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def tiny_priors(tmp_path_factory) -> list[str]:
    """Return files of priors that know nothing: 32 px, 48 px, 32 px of two channels."""
    folder = tmp_path_factory.mktemp("priors")
    return [tiny.write_prior(folder, s, c) for s, c in ((32, 1), (48, 1), (32, 2))]
