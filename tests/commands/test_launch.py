"""The start of the commands."""

import inspect

import pytest

from mgdm_jax import reconstruct, run, sweep, train


@pytest.mark.parametrize("module", [reconstruct, run, sweep, train])
def test_commands_keep_what_they_compile(module):
    assert "launch.keep_compilations()" in inspect.getsource(module.cli)
