"""Commands run as a user's shell would, without importing JAX for each anew.

A server imports the commands once and forks for each call (before JAX has started any
thread): its own arguments, streams, exit code and limits.
"""

import contextlib
import dataclasses
import importlib
import multiprocessing
import os
import resource
import sys
from pathlib import Path

import jax

from mgdm_jax import cli

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([f"mgdm_jax.{name}" for name in cli.COMMANDS])


@dataclasses.dataclass(frozen=True)
class Done:
    """What a command left: exit code, streams, and the most memory it held, bytes.

    A command that was killed has left no measure of its memory.
    """

    code: int
    out: str
    err: str
    peak_bytes: int | None


def run(module, *words, cwd, max_bytes=None, timeout=300):
    """Run `python -m mgdm_jax.<module> words` in a folder and return what it left.

    Args:
      max_bytes: no file may grow beyond it: a full disk.
    """
    *streams, peak = [
        Path(cwd).with_name(f"{Path(cwd).name}.{name}")
        for name in ("out", "err", "peak")
    ]
    peak.unlink(missing_ok=True)
    arguments = (module, [str(word) for word in words], cwd, streams, peak, max_bytes)
    process = CONTEXT.Process(target=_command, args=arguments)
    process.start()
    process.join(timeout)
    if process.is_alive():
        process.kill()
        raise TimeoutError(f"{module} {words} takes longer than {timeout} s")
    n_bytes = int(peak.read_text()) if peak.exists() else None
    return Done(process.exitcode, *(path.read_text() for path in streams), n_bytes)


def _command(module, words, cwd, streams, peak, max_bytes):
    os.chdir(cwd)
    sys.argv = [module, *words]
    for stream, path in zip((1, 2), streams, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    if max_bytes is not None:
        # What it compiles would be cut short, and met by all commands after it.
        jax.config.update("jax_enable_compilation_cache", False)
        with contextlib.suppress(ValueError):
            resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))
    try:
        importlib.import_module(f"mgdm_jax.{module}").cli()
    finally:  # a command ends by SystemExit
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak.write_text(str(1024 * kilobytes))
