"""The commands' server tells what each of them took, apart from the others."""

import command_server
import numpy as np
import scanner_files

MEGABYTE = 10**6


def test_a_command_tells_the_memory_of_its_own(tmp_path):
    peaks = []
    for name, n in (("few", 8), ("many", 160), ("again", 8)):
        folder = tmp_path / name
        (folder / "in").mkdir(parents=True)
        values = np.zeros((512, 512, n), np.float32)
        values[:9, :9, :9] = 1
        scanner_files.write_nifti(folder / "in" / "v.nii.gz", values)
        words = ("nifti", "--in=in", "--out=out.h5", "--workers=1")
        done = command_server.run("prepare", *words, cwd=folder)
        assert done.code == 0, done.err
        peaks.append(done.peak_bytes)
    few, many, again = peaks
    assert few > 50 * MEGABYTE
    assert many - few > 160 * MEGABYTE
    assert abs(again - few) < 50 * MEGABYTE
