"""Tables that several searches write to."""

import threading

from experiments import keeping


def test_entries_of_several_processes_stand_side_by_side(tmp_path):
    path = tmp_path / "new" / "table.json"
    names = [str(i) for i in range(20)]
    threads = [
        threading.Thread(target=keeping.add, args=(path, name, {"psnr": 1.0}))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(keeping.read(path)) == set(names)
    assert keeping.add(path, "0", {"psnr": 2.0})["0"] == {"psnr": 2.0}
