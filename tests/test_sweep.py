"""The command: what it evaluates, what it leaves, and that it goes on after a kill."""

import concurrent.futures
import errno
import sys

import jax
import numpy as np
import pytest
import tiny
from matplotlib import figure
from test_configs import ROOT, load

from mgdm_jax import factory, priors, reconstruction, run, sweep
from mgdm_jax.storage import locks
from mgdm_jax.sweeping import bayesian, evaluation, setup, tables
from mgdm_jax.sweeping.tables import Row
from mgdm_jax.types import Guidance

FILES = {
    *("sweep.csv", "best.py", "config.json", "environment.json", ".lock", ".turn"),
    *("map_zeta_rho.png", "sensitivity_zeta.png", "sensitivity_rho.png"),
}


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    return tiny.write_prior(tmp_path_factory.mktemp("prior"))


@pytest.fixture
def config(prior):
    """Return six candidates, in batches of four, on three images, in batches of two."""
    made = load(ROOT / "mri_brats.py", "smoke")
    made.prior.path = prior
    made.data.split, made.data.subject, made.data.n_images = "train", "itk_mprage", 3
    made.sampler.n_steps, made.sampler.batch_size, made.sampler.eta = 2, 2, 0.85
    made.guidance.lam = 0.1
    made.sweep.zeta, made.sweep.rho = (0.1, 0.5, 1.0), (0.0, 0.1)
    return made


@pytest.fixture
def counted(monkeypatch):
    """Replace sampling and drawing by a formula; return the candidates asked for."""
    asked = []

    def evaluator(made, n_steps, size):
        def evaluate(candidates):
            assert 0 < len(candidates) <= size
            asked.extend((n_steps, *numbers) for numbers in candidates)
            return [formula(n_steps, *numbers) for numbers in candidates]

        return evaluate

    monkeypatch.setattr(setup, "evaluator", evaluator)
    monkeypatch.setattr(figure.Figure, "savefig", lambda _, path, **__: path.touch())
    return asked


def formula(n_steps, zeta, lam, rho, eta):
    psnr = float(f"{30 - abs(np.log(zeta / 0.3)) - (rho - 0.05) ** 2:.6g}")
    scores = {"psnr_std": 0.1, "ssim_mean": psnr / 40, "ssim_std": 0.0}
    rest = {"n_diverged": 0, "nfe": n_steps, "data_residual_mean": 0.0}
    rest["merit"] = psnr
    return Row(n_steps, zeta, lam, rho, eta, psnr, **scores, **rest)


def sweep_into(config, folder):
    return sweep.run(setup.make(config, folder))


def test_rows_are_what_run_gives_in_one_program(config, tmp_path, monkeypatch, capsys):
    traces = []

    def counting(sampler, *rest):
        def traced(*arguments):
            traces.append(arguments)
            return sampler(*arguments)

        return compiled(traced, *rest)

    compiled = evaluation.compiled
    monkeypatch.setattr(evaluation, "compiled", counting)
    sweep.main(config, str(tmp_path / "out"))
    # vmap traces once for its shapes; two batches of candidates, two of images.
    assert len(traces) == 1
    assert {p.name for p in (tmp_path / "out").iterdir()} == FILES
    rows = tables.read(tmp_path / "out" / "sweep.csv")
    assert [row.key for row in rows] == [
        (2, zeta, 0.1, rho, 0.85) for zeta in (0.1, 0.5, 1.0) for rho in (0.0, 0.1)
    ]
    assert rows[5] == pytest.approx(alone(config, rows[5]), rel=1e-4)
    out = capsys.readouterr().out
    assert "chosen on embedded sample: train/itk_mprage, 3 images" in out
    assert "WARNING" not in out and "the best 6 of 6" in out


def alone(config, row):
    """Return the row of a candidate's images as `run` makes and scores them."""
    prior, measured, sampler = factory.build(config)
    numbers = Guidance.of(zeta=row.zeta, lam=row.lam, rho=row.rho, eta=row.eta)
    key, size = jax.random.key(config.sampler.seed), config.sampler.batch_size
    done = reconstruction.reconstruct(key, sampler, prior, measured, numbers, size)
    scores = reconstruction.scores(measured.reference, done.images)
    return row._replace(
        psnr_mean=scores.psnr.mean(),
        psnr_std=scores.psnr.std(),
        ssim_mean=scores.ssim.mean(),
        ssim_std=scores.ssim.std(),
        n_diverged=done.diverged.sum(),
        nfe=len(done.info.finite[0]),
        data_residual_mean=done.data_residual.mean(),
    )


def test_killed_half_way_it_gives_the_same_bytes(
    config, tmp_path, monkeypatch, counted
):
    config.sweep.batch_size, config.sweep.n_steps = 2, (2, 3)
    whole = sweep_into(config, tmp_path / "whole")
    assert len(counted) == len(set(counted)) == len(whole) == 12
    counted.clear()
    write, n_written = tables.write, []

    def killed(*arguments):
        if len(n_written) == 4:
            raise KeyboardInterrupt
        n_written.append(write(*arguments))

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tables, "write", killed)
        sweep_into(config, tmp_path / "killed")
    assert len(tables.read(tmp_path / "killed" / "sweep.csv")) == 8
    del counted[8:]  # evaluated, and lost: written it was not
    assert sweep_into(config, tmp_path / "killed") == whole
    assert len(counted) == len(set(counted)) == 12
    for name in ("sweep.csv", "best.py", "config.json"):
        first, second = (tmp_path / x / name for x in ("whole", "killed"))
        want = first.read_text().replace("/whole/", "/killed/")
        assert second.read_text() == want
    assert sweep_into(config, tmp_path / "killed") == whole
    assert len(counted) == 12


def test_more_random_candidates_go_on_from_fewer(config, tmp_path, counted):
    config.sweep.strategy, config.sweep.n_trials = "random", 5
    config.sweep.zeta = (0.1, 1.0)
    few = sweep_into(config, tmp_path / "out")
    config.sweep.n_trials = 9
    assert sweep_into(config, tmp_path / "out")[:5] == few
    assert len(counted) == len(set(counted)) == 9


def test_the_folder_of_another_sweep_is_refused(config, tmp_path, counted):
    sweep_into(config, tmp_path / "out")
    before = {p: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    config.sweep.batch_size = 1  # changes nothing
    setup.make(config, tmp_path / "out")
    config.task.acceleration = 8.0
    message = r"another sweep: task\.acceleration is 8\.0, was 4\.0; give another"
    with pytest.raises(ValueError, match=message):
        setup.make(config, tmp_path / "out")
    assert before == {p: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    with pytest.raises(ValueError, match="holds a sweep"):
        run.run(config, tmp_path / "out")


def test_weights_of_another_training_are_refused(config, tmp_path, counted):
    path = tmp_path / "prior.safetensors"
    spec, params = priors.load(config.prior.path)
    priors.save(path, spec, params)
    config.prior.path = str(path)
    sweep_into(config, tmp_path / "out")
    priors.save(path, spec, jax.tree.map(lambda v: v + 1, params))
    with pytest.raises(ValueError, match="not those that"):
        setup.make(config, tmp_path / "out")


@pytest.mark.parametrize(("rho", "method"), [((0.0, 0.1), "mgdm"), ((), "mgdm_no_r")])
def test_a_gradient_of_no_candidate_is_left_out(
    rho, method, config, tmp_path, monkeypatch
):
    config.sweep.rho, config.guidance.rho = rho, 0.0
    monkeypatch.setattr(factory, "make", lambda _, config, *__: config.method)
    assert setup.make(config, tmp_path).samplers == {2: method}


def test_where_everything_diverged_there_is_a_table_and_no_best(
    config, tmp_path, monkeypatch, counted, capsys
):
    lost = formula(2, 0.1, 0.1, 0.0, 0.85)._replace(n_diverged=3)
    monkeypatch.setattr(
        setup, "evaluator", lambda *_: lambda c: [lost._replace(zeta=x.zeta) for x in c]
    )
    config.sweep.rho, config.guidance.rho = (), 0.0
    with pytest.raises(ValueError, match="of all 3 candidates diverged") as caught:
        sweep.main(config, str(tmp_path / "out"))
    assert "\n" not in str(caught.value) and "best.py" not in capsys.readouterr().out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"sweep.csv", "config.json", "environment.json", ".lock", ".turn"}
    assert len(tables.read(tmp_path / "out" / "sweep.csv")) == 3


def test_a_second_process_is_refused(config, tmp_path, counted):
    made = setup.make(config, tmp_path)
    with locks.present(tmp_path / ".lock") as first:
        assert first.alone
        with pytest.raises(ValueError, match="another process"):
            sweep.run(made)


def test_without_locks_no_folder_stays(config, tmp_path, counted, monkeypatch):
    def unlocked(file, how):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(locks.fcntl, "flock", unlocked)
    with pytest.raises(ValueError, match=r"out/\.lock cannot be locked"):
        sweep_into(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_scan_without_a_reference_is_refused(config, tmp_path, monkeypatch):
    made = factory.build(config)
    facts = made.measurements.__dict__ | {"reference": None}
    bare = type(made.measurements)(**facts)
    monkeypatch.setattr(factory, "build", lambda _: made._replace(measurements=bare))
    with pytest.raises(ValueError, match="no reference to compare with"):
        setup.make(config, tmp_path / "out")


@pytest.fixture
def bayesian_config(config):
    pytest.importorskip("optuna")
    config.sweep.strategy, config.sweep.zeta = "bayesian", (0.1, 10.0)
    config.sweep.n_trials, config.sweep.batch_size = 13, 4
    return config


def test_a_killed_study_goes_on_as_if_nothing_had_been(
    bayesian_config, tmp_path, monkeypatch, counted
):
    whole = sweep_into(bayesian_config, tmp_path / "whole")
    assert len(counted) == len(set(counted)) == len(whole) == 13
    counted.clear()
    tell, n_told = bayesian.Study.tell, []

    def killed(study, trials, rows):
        if len(n_told) == 2:  # after half of the third batch
            tell(study, trials[:2], rows[:2])
            raise KeyboardInterrupt
        n_told.append(tell(study, trials, rows))

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(bayesian.Study, "tell", killed)
        sweep_into(bayesian_config, tmp_path / "killed")
    assert sweep_into(bayesian_config, tmp_path / "killed") == whole
    assert len(set(counted)) == 13
    first, second = (tmp_path / x / "sweep.csv" for x in ("whole", "killed"))
    assert first.read_bytes() == second.read_bytes()
    best = tables.best(whole, "psnr")
    assert best.zeta == pytest.approx(0.3, rel=0.5) and best.rho < 0.1


def test_processes_share_a_study(bayesian_config, tmp_path, counted):
    """Threads here: a lock of one open file excludes every other."""
    bayesian_config.sweep.n_steps = (2, 3)
    made = [setup.make(bayesian_config, tmp_path / "out") for _ in range(2)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = list(pool.map(sweep.run, made))
    assert len(counted) == len(set(counted)) == 26
    rows = tables.read(tmp_path / "out" / "sweep.csv")
    assert sorted(row.key for row in rows) == sorted(counted)
    assert rows in found


def test_without_optuna_it_is_said_what_to_install(config, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    config.sweep.strategy, config.sweep.zeta = "bayesian", (0.1, 10.0)
    with pytest.raises(
        ValueError, match=r"needs optuna; pip install mgdm-jax\[sweep\]"
    ):
        sweep.main(config, str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_batch_of_as_many_images_as_fit_is_for_run(config, tmp_path):
    config.sampler.batch_size = 0
    with pytest.raises(ValueError, match="is for `run`; give a number"):
        setup.make(config, tmp_path / "out")
