"""The start of the commands."""

import inspect

import jax
import pytest

from mgdm_jax import reconstruct, run, sweep, train
from mgdm_jax.commands import launch


@pytest.mark.parametrize("module", [reconstruct, run, sweep, train])
def test_commands_keep_what_they_compile(module):
    assert "launch.keep_compilations()" in inspect.getsource(module.cli)


@pytest.mark.parametrize("named", [None, "/of/the/user"])
def test_where_they_keep_it_is_the_user_s_choice(named, monkeypatch, tmp_path):
    made = {}
    monkeypatch.setattr(
        type(jax.config), "update", lambda _, *pair: made.update([pair])
    )
    monkeypatch.setattr(type(jax.config), "config_with_absl", lambda _: None)
    monkeypatch.setenv("MGDM_JAX_CACHE", str(tmp_path))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    if named:
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", named)
    launch.keep_compilations()
    default = None if named else str(tmp_path / "xla")
    assert made.get("jax_compilation_cache_dir") == default
    assert "jax_persistent_cache_min_compile_time_secs" in made
