"""Processes of one program that join each other, for tests."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import mgdm_jax

MAIN = """
from mgdm_jax import {command}
from mgdm_jax.commands import workdirs

workdirs.PATIENCE_S = 1
{command}.cli()
"""
"""A command that has no patience."""


def run(program, *words, **environment):
    """Run a program in as many processes as words are given for.

    Args:
      program: Python; gets the flags that join it.
      words: further ones of each process.
      environment: variables besides those of the tests.

    Returns:
      Exit code, stdout and stderr of each.

    Raises:
      subprocess.TimeoutExpired: after 90 s; JAX takes 100 to notice that one is gone.
    """
    with socket.socket() as free:
        free.bind(("localhost", 0))
        coordinator = f"localhost:{free.getsockname()[1]}"
    flags = (f"--coordinator={coordinator}", f"--n_processes={len(words)}")
    settings = {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": "1",
        "PYTHONPATH": str(Path(mgdm_jax.__file__).parents[1]),
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, *flags, f"--process_id={i}", *more],
            env=os.environ | settings | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i, more in enumerate(words)
    ]
    try:
        told = [process.communicate(timeout=90) for process in started]
    finally:
        for process in started:
            process.kill()
    codes = [process.returncode for process in started]
    return [(code, *streams) for code, streams in zip(codes, told, strict=True)]


def check_refused(ended):
    """Return the line with which all have refused, be it by JAX's news of joining."""
    assert [code for code, *_ in ended] == [2] * len(ended), ended
    assert not any("Traceback" in err or "Fatal" in err for *_, err in ended), ended
    told = {err.splitlines()[-1] for *_, err in ended}
    assert len(told) == 1, told
    return told.pop()
