"""Which inputs a notebook's results depend on, as one hash: same hash, same results, no need to run."""

import json
import sys
from functools import lru_cache
from pathlib import Path

from analysis.runner.files import hash_of_file, hash_of_folders, hash_of_text
from analysis.runner.notebooks import content, read
from analysis.runner.parameters import FOLDERS
from analysis.runner.project import Project


class Inputs:
    """Hashes of what the notebooks of one project read, each folder read once."""

    def __init__(self, project: Project):
        folders = hash_of_folders((project.package, project.data))
        self.common = hash_of_text(sys.version, folders, hash_of_file(project.lock))
        self.hash_of = lru_cache(lambda folder: hash_of_text(*map(hash_of_file, sorted(Path(folder).rglob("*.csv")))))

    def of(self, notebook: Path, parameters: dict, records: str = "") -> str:
        """Hash of a notebook's source, parameters, overlay, package, tables and lock.

        Parameters
        ----------
        notebook : Path
        parameters : dict
            Values it gets; what lies in the folders they name counts too.
        records : str
            The scorecard that the overview shows.
        """
        values = json.dumps(parameters, sort_keys=True)
        folders = [self.hash_of(parameters[name]) for name in FOLDERS if parameters.get(name)]
        return hash_of_text(self.common, content(read(notebook)), values, records, *folders)
