"""The console script, the help of every command, and what they say on which stream."""

import json
import re
import subprocess
import sys
from pathlib import Path

import command_server
import h5py
import jax
import numpy as np
import pytest
import tiny
from absl import flags

from mgdm_jax import cli, defaults, info, priors, results, run
from mgdm_jax.commands import console, help_pages

ROOT = Path(__file__).parents[1]
ALONE = """
import sys
from mgdm_jax import cli
sys.argv = ["mgdm-jax", *{words}]
try:
    cli.main()
finally:
    heavy = {{"jax", "numpy", "absl", "ml_collections"}} & set(sys.modules)
    print("imported", *heavy, file=sys.stderr)
"""


def alone(*words):
    """Run the console script with nothing imported before it."""
    script = ALONE.format(words=list(words))
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT
    )


def test_reconstructing_loads_nothing_of_training():
    """A second start of a run would wait for it."""
    code = "import sys, mgdm_jax.run; print(*{'grain', 'orbax'} & set(sys.modules))"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert not done.stdout.split()


def test_the_list_of_commands_is_short_and_imports_nothing():
    done = alone("--help")
    assert done.returncode == 0, done.stderr
    assert done.stderr.split() == ["imported"]
    lines = done.stdout.splitlines()
    assert len(lines) < 20
    for name, what in cli.COMMANDS.items():
        assert [line.split(None, 1) for line in lines].count([name, what]) == 1


def test_an_unknown_command_is_one_line():
    done = alone("rum")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "error: no command rum; did you mean run?"


def test_the_script_alone_lists_them_too(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["mgdm-jax"])
    cli.main()
    assert capsys.readouterr().out == cli.overview()


def test_every_command_is_in_the_list():
    started = {
        path.stem
        for path in (ROOT / "mgdm_jax").glob("*.py")
        if "launch.start(" in path.read_text()
    }
    assert started == set(cli.COMMANDS)


def test_no_command_needs_an_extra_to_start():
    """`pip install mgdm-jax` brings none of these."""
    extras = ("torch", "nibabel", "pydicom", "ismrmrd", "sigpy", "skimage", "SimpleITK")
    script = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({extras}))\n"
        f"for name in {list(cli.COMMANDS)}:\n"
        "    importlib.import_module(f'mgdm_jax.{name}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_is_short_and_shows_examples(name, tmp_path):
    (tmp_path / "here").mkdir()
    done = command_server.run(name, "--help", cwd=tmp_path / "here")
    assert done.code == 0, done.err
    assert not done.err
    assert done.out.startswith(f"usage: mgdm-jax {name}")
    assert done.out.count(f"\n  mgdm-jax {name}") + done.out.count("cpu mgdm-jax") >= 1
    assert "--debug" in done.out
    assert len(done.out.splitlines()) < 50
    assert all(len(line) <= 90 for line in done.out.splitlines())
    assert not re.search("--jax|--verbosity|absl", done.out)


def test_help_tells_how_it_was_called():
    done = subprocess.run(
        [sys.executable, "-m", "mgdm_jax.prepare", "-h"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: python -m mgdm_jax.prepare brats --in DIR")
    assert "--shares=SHARES" in done.stdout
    assert "mgdm-jax" not in done.stdout


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_examples_give_flags_that_exist(name, tmp_path):
    (tmp_path / "here").mkdir()
    page = command_server.run(name, "--help", cwd=tmp_path / "here").out
    examples, _, listed = page.partition("flags:")
    given = set(re.findall(r"--[a-z_-]+", examples)) - {"--config."}
    known = re.findall(r"--(?:\[no\])?([a-z-]+)", listed)
    assert {flag[2:].replace("_", "-") for flag in given} <= set(known)


def test_help_of_a_flag_says_its_values_and_default():
    values = flags.FlagValues()
    flags.DEFINE_enum("log_form", "a", ["a", "b"], "What for.", flag_values=values)
    flags.DEFINE_bool("on", True, "If so.", flag_values=values)
    flags.DEFINE_integer("n_steps", None, "How many.", flag_values=values)
    lines = [help_pages.lines(values[name]) for name in ("log_form", "on", "n_steps")]
    assert [" ".join(" ".join(line).split()) for line in lines] == [
        "--log-form=a|b What for. [a]",
        "--[no]on If so.",
        "--n-steps=N How many.",
    ]


def test_info_lists_what_is_shipped(tmp_path):
    (tmp_path / "here").mkdir()
    done = command_server.run("info", cwd=tmp_path / "here")
    assert done.code == 0, done.err
    for name in priors.shipped():
        spec, _ = priors.load(name)
        height, width = spec.image_shape[:2]
        row = f"{name} {height}x{width} {spec.network['in_channels']}"
        assert f"{row} {spec.training['steps']}" in " ".join(done.out.split())
    for word in ("mgdm_jax 0.", "jax 0.", "cpu", "mri_brats", "priors/brain_t1"):
        assert word in done.out


def test_info_counts_the_cache(tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "dual.npz").write_bytes(bytes(1_500_000))
    assert info.cache_line(cache).startswith(f"{cache}, 1.5 MB in 1 files")
    assert "0.0 MB in 0 files" in info.cache_line(tmp_path / "absent")


def test_info_says_why_there_is_no_device(monkeypatch):
    def absent():
        raise RuntimeError("no backend:\nlibtpu.so is not there")

    monkeypatch.setattr(jax, "devices", absent)
    assert "devices: none; no backend: libtpu.so is not there\n" in info.text()


@pytest.mark.parametrize("words", [["--config=absent"], ["--config", "ct_lidc:smoke"]])
def test_debug_shows_where_an_error_was_raised(words, tmp_path):
    """The flags themselves may be wrong, or what they say."""
    (tmp_path / "here").mkdir()
    words = ["run", *words, "--config.sampler.n_steps=0"]
    brief, full = (
        command_server.run(*words, *more, cwd=tmp_path / "here")
        for more in ([], ["--debug"])
    )
    assert brief.code == full.code == 2
    assert len(brief.err.splitlines()) == 1
    assert full.err.startswith("Traceback") and "ValueError: " in full.err
    assert brief.err.removeprefix("error: ") in full.err


def test_a_configuration_of_another_command_is_one_line(tmp_path):
    (tmp_path / "here").mkdir()
    for command, config, other in (
        ("run", "priors/brain_t1", "train"),
        ("train", "mri_brats", "run"),
    ):
        done = command_server.run(command, f"--config={config}", cwd=tmp_path / "here")
        assert done.code == 2
        assert done.err == f"error: this configuration is for `mgdm-jax {other}`.\n"


def test_a_missing_configuration_is_asked_for(tmp_path):
    (tmp_path / "here").mkdir()
    done = command_server.run("run", cwd=tmp_path / "here")
    assert done.err == "error: --config is needed; see --help.\n"


def events(text):
    return [json.loads(line) for line in text.splitlines()]


def test_json_lines_of_a_run_by_a_packaged_name(tmp_path):
    """They alone are on stdout, and no bar is on stderr."""
    folder = tmp_path / "here"
    folder.mkdir()
    prior = tiny.write_prior(tmp_path, image_size=32)
    with h5py.File(folder / "scan.h5", "w") as file:
        file["kspace"] = np.ones((2, 32, 32), np.complex64)
        file["mask"] = np.ones(32, np.float32)
        file.attrs["centered"] = False
    words = ["--config=mri_brats:smoke", f"--config.prior.path={prior}"]
    words += ["--config.sampler.n_steps=2", "--config.sampler.batch_size=1"]
    words += ["--config.data.path=scan.h5"]
    words += ["--log-format=json", "--workdir=out"]
    done = command_server.run("run", *words, cwd=folder)
    assert done.code == 0, done.err
    assert not done.err
    start, *progress, result = events(done.out)
    assert start["event"] == "start" and not start["embedded_sample"]
    assert [(p["event"], p["done"], p["total"]) for p in progress] == [
        ("progress", 1, 2),
        ("progress", 2, 2),
    ]
    assert result["event"] == "result" and result["workdir"] == "out"
    metrics = json.loads((folder / "out/metrics.json").read_text())
    assert metrics.items() <= result.items()


def test_quiet_tells_where_the_result_is_and_what_went_wrong(capsys, monkeypatch):
    facts = {"n_diverged": 3, "psnr_mean": float("nan")}
    monkeypatch.setattr(run, "run", lambda *_, **__: facts)
    monkeypatch.setattr(results, "table", lambda _: "a table")
    config = defaults.reconstruction()
    run.main(config, "out")
    out = capsys.readouterr().out
    assert out.startswith("No data.path given: using the embedded sample.\n")
    assert out.endswith("a table\nwritten to out\n")
    run.main(config, "out", to=console.Console(quiet=True))
    out, err = capsys.readouterr()
    assert out == "out\n"
    assert err.startswith("WARNING: 3 images diverged") and err.count("\n") == 1
    run.main(config, "out", to=console.Console(quiet=True, as_json=True))
    start, result = events(capsys.readouterr().out)
    assert (start["event"], result["event"]) == ("start", "result")
    assert start["embedded_sample"] and result["psnr_mean"] is None
    config.name, config.data.path = "knees", "scan.h5"
    run.main(config, None)
    out = capsys.readouterr().out
    assert "embedded" not in out
    assert re.search(r"written to runs/knees-20\d{6}-\d{6}\n$", out)


def test_progress_counts_for_people_and_for_programs(capsys):
    for kind in (
        console.Console(),
        console.Console(as_json=True),
        console.Console(quiet=True),
        console.Console(quiet=True, as_json=True),
    ):
        with kind.progress(10, "step", done=4) as count:
            count.update(2)
            count.tell({"loss": float("inf")}, note="loss=inf")
        out, err = capsys.readouterr()
        assert ("6/10" in err and "loss=inf" in err) == (kind == console.TALKATIVE)
        spoken = kind.as_json and not kind.quiet
        assert (
            events(out)
            == [
                {
                    "event": "progress",
                    "done": 6,
                    "total": 10,
                    "unit": "step",
                    "loss": None,
                }
            ]
            * spoken
        )
