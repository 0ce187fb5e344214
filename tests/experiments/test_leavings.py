"""What is compared of what commands leave, and what is excepted."""

import json

import numpy as np
import pytest

from experiments.killing import leavings
from mgdm_jax.data import hdf5

FACTS = {"psnr_mean": 30.0, "seconds": 3.0}


@pytest.fixture
def folders(tmp_path):
    """Return two folders that differ in seconds alone."""
    made = []
    for name, seconds in (("reference", 3.0), ("found", 4.0)):
        folder = tmp_path / name
        (folder / "samples").mkdir(parents=True)
        (folder / "samples" / "1.png").write_bytes(b"\x89PNG")
        facts = FACTS | {"seconds": seconds}
        (folder / "metrics.json").write_text(json.dumps(facts))
        rows = f"step,loss,seconds\r\n1,0.5,{seconds}\r\n2,0.4,{seconds}\r\n"
        (folder / "metrics.csv").write_text(rows, newline="")
        (folder / "report.html").write_text(f"{seconds} s")
        arrays = {"images": np.arange(4.0), "subject": np.array(["a", "b"], "S1")}
        hdf5.write(folder / "out.h5", arrays, {"method": "mgdm"})
        made.append(folder)
    return made


def test_seconds_and_reports_are_excepted(folders):
    assert leavings.differences(*folders) == []


def rewrite(name, old, new):
    def change(folder):
        path = folder / name
        path.write_bytes(path.read_bytes().replace(old, new))

    return change


def write_arrays(arrays, method="mgdm"):
    def change(folder):
        names = np.array(["a", "b"], "S1")
        facts = {"method": method}
        hdf5.write(folder / "out.h5", {"subject": names} | arrays, facts)

    return change


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda f: (f / ".part").touch(), ".part is too much"),
        (lambda f: (f / "empty").mkdir(), "empty is too much"),
        (lambda f: (f / "samples/1.png").unlink(), "samples/1.png is missing"),
        (rewrite("samples/1.png", b"G", b"g"), "samples/1.png: differs"),
        (rewrite("metrics.json", b"30.0", b"30.1"), "metrics.json: psnr_mean differs"),
        (
            rewrite("metrics.csv", b"2,0.4", b"2,0.4,9\r\n2,0.4"),
            "metrics.csv: has 3 rows in place of 2",
        ),
        (rewrite("metrics.csv", b"0.4", b"0.3"), "metrics.csv: differs"),
        (
            write_arrays({"images": np.nextafter(np.arange(4.0), 9)}),
            "out.h5: images has other numbers",
        ),
        (write_arrays({}), "out.h5: images is in one alone"),
        (
            write_arrays({"images": np.arange(4.0)}, "dps"),
            "out.h5: @method has other numbers",
        ),
    ],
)
def test_anything_else_is_told(change, line, folders):
    change(folders[1])
    assert leavings.differences(*folders) == [line]
