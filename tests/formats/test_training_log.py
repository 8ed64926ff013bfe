"""The log of a training."""

from __future__ import annotations

from wsstools.formats.training_log import TrainingLog


def test_a_line_of_the_log_that_a_full_disk_cut_is_dropped(tmp_path):
    path = tmp_path / "net.pt.csv"
    log = TrainingLog(path, 0)
    for iteration in range(1, 13):
        log.add(iteration, 0.5, 0.1)
    log.close()
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:12]) + "1")  # of "12,0.5,0.1,"
    TrainingLog(path, 10).close()
    assert path.read_text() == "".join(lines[:11])
