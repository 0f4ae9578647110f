from __future__ import annotations

import shutil


def test_a_run_with_and_without_its_data(digits_run, isthmus, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(digits_run, folder)
    page = folder / "report.html"
    with_data = page.read_text()
    page.unlink()
    assert "Wrote" in isthmus("report", folder).stdout
    bare = page.read_text()
    isthmus("report", folder, "digits")
    assert page.read_text() == with_data
    assert "<html" in bare
    assert len(with_data) > len(bare)


def test_a_folder_of_neither(refused, here):
    (here / "empty").mkdir()
    assert "metrics.json" in refused("report", "empty").stderr
    assert list((here / "empty").iterdir()) == []
