"""No cell of `data/` changes unnoticed: a digest of every file, rewritten by `make update-goldens` alone."""

import json

from analysis.facts import DATA
from analysis.runner.outputs import data_digest, golden_folder
from analysis.runner.project import Project


def test_no_file_of_data_changed_since_the_goldens_were_made():
    kept = json.loads((golden_folder(Project.here()) / "data.json").read_text(encoding="utf-8"))
    found = data_digest(DATA)
    changed = sorted(name for name in kept.keys() | found.keys() if kept.get(name) != found.get(name))
    assert not changed, "meant? then `make update-goldens`, read its diff, and say in CHANGELOG.md what moved"


def test_a_single_digit_changes_the_digest(tmp_path):
    (tmp_path / "cards.csv").write_text("name,hbm_GBps\nA,3350\n", encoding="utf-8")
    before = data_digest(tmp_path)
    (tmp_path / "cards.csv").write_text("name,hbm_GBps\nA,3351\n", encoding="utf-8")
    assert data_digest(tmp_path) != before and list(before) == ["cards.csv"]
