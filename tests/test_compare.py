"""The command that makes one page of finished runs."""

import command_server
import h5py
import pytest
import run_folders


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    run_folders.write(folder / "a")
    run_folders.write(folder / "b", "ddnm", seed=1)
    return folder


def test_one_page_of_two_runs_and_never_over_another(here):
    words = ("compare", "a", "b", "--out=both.html")
    done = command_server.run(*words, cwd=here)
    assert done.code == 0, done.err
    assert done.out == "wrote both.html\n"
    page = (here / "both.html").read_text()
    assert "Paired differences" in page and "<title>mgdm and ddnm: mri_brats" in page
    done = command_server.run(*words, cwd=here)
    assert done.code == 2 and "both.html exists" in done.err
    done = command_server.run(*words, "--overwrite", cwd=here)
    assert done.code == 0 and (here / "both.html").read_text() == page


def test_a_report_is_made_anew_of_its_folder_alone(here):
    assert command_server.run("compare", "a", cwd=here).code == 0
    first = (here / "a/report.html").read_text()
    assert command_server.run("compare", "a/", cwd=here).code == 0
    assert (here / "a/report.html").read_text() == first
    assert "Paired differences" not in first


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "expected workdirs of finished runs, got none"),
        (("a", "b"), "several runs need a file to write"),
        (("absent",), "absent holds no finished run"),
        (("a", "b", "--out=both.txt"), "must be a file that ends in .html"),
        (("a", "b", "--out=no/both.html"), "no folder that can be written to"),
        (("a", "b", "--out=a/metrics.json"), "must be a file that ends in .html"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(words, message, here):
    before = sorted(here.rglob("*"))
    done = command_server.run("compare", *words, cwd=here)
    assert done.code == 2 and len(done.err.splitlines()) == 1
    assert message in done.err
    assert sorted(here.rglob("*")) == before


def test_damaged_and_older_runs_are_one_line(here):
    with h5py.File(here / "a/reconstructions.h5", "a") as file:
        del file["diverged"]
    done = command_server.run("compare", "a", cwd=here)
    assert done.code == 2 and "a was written by an older version" in done.err
    (here / "b/config.json").write_text("{")
    done = command_server.run("compare", "b", cwd=here)
    assert done.code == 2 and "config.json: not readable" in done.err
    (here / "b/reconstructions.h5").write_bytes(b"no")
    done = command_server.run("compare", "b", cwd=here)
    assert done.code == 2 and len(done.err.splitlines()) == 1
