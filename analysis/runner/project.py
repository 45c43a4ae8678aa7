"""Where everything lies: the folders of one project and the ledger its notebooks answer to."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from analysis.errors import ParameterError, nearest
from analysis.runner.ledger import Ledger

OVERVIEW = "00_overview"


@dataclass(frozen=True)
class Project:
    """Folders of a project; tests put toy ones in place of the real.

    Parameters
    ----------
    root, notebooks, data, package, results : Path
        The checkout, its notebooks, its tables, the package the notebooks import, and where results go.
    ledger : Ledger
        What the runner needs to know about claims.
    """

    root: Path
    notebooks: Path
    data: Path
    package: Path
    results: Path
    ledger: Ledger = field(default_factory=Ledger)

    @classmethod
    def here(cls, ledger: Ledger | None = None) -> "Project":
        """The project this package lies in, whatever the current folder."""
        package = Path(__file__).resolve().parents[1]
        return cls.at(package.parent, package=package, ledger=ledger or Ledger())

    @classmethod
    def at(cls, root: Path, **changed) -> "Project":
        """A project with the usual folder names below ``root``; keywords replace single folders."""
        folders = {name: root / name for name in ("notebooks", "data", "results")}
        return cls(**{"root": root, "package": root / "analysis", **folders, **changed})

    def with_results(self, folder: str | Path | None) -> "Project":
        """The same project writing its results to another folder (relative to the current one)."""
        return replace(self, results=Path(folder).resolve()) if folder else self

    @property
    def lock(self) -> Path:
        """The file that pins every dependency."""
        return self.root / "requirements.lock"

    def sources(self) -> dict[str, Path]:
        """Every notebook by its stem, in order of name."""
        return {path.stem: path for path in sorted(self.notebooks.glob("*.ipynb"))}

    def select(self, names: tuple[str, ...]) -> dict[str, Path]:
        """The notebooks of these names or paths; all of them without a name.

        Raises
        ------
        ParameterError
            A name that no notebook has, with the nearest one.
        """
        sources = self.sources()
        if not sources:
            raise ParameterError(f"no notebook (*.ipynb) in {self.notebooks}")
        stems = {self._stem(name, sources) for name in names} or set(sources)
        return {stem: path for stem, path in sources.items() if stem in stems}

    def _stem(self, name: str, sources: dict[str, Path]) -> str:
        stem = Path(name).name.removesuffix(".ipynb")
        if stem not in sources:
            raise ParameterError(f"no notebook {name!r}. {nearest(stem, sources)}")
        return stem
