"""The command line: parses and prints; the work is done in `analysis.runner`, `evaluate` and `predict`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import click

from analysis.errors import AnalysisError, ParameterError
from analysis.runner.project import Project

jobs_option = click.option("--jobs", type=click.IntRange(1), default=None, help="At once; default: one a core.")
data_option = click.option("--data", metavar="DIR", help="Your own tables, laid over data/.")
out_option = click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Default: standard output.")
seconds = click.FloatRange(1)
timeout_option = click.option("--timeout", metavar="S", type=seconds, default=600.0, help="A notebook's limit; 600.")


def parameter_option(values: str) -> Callable:
    """The option ``-p NAME VALUE``, any number of times."""
    return click.option("-p", "given", nargs=2, multiple=True, metavar=f"NAME {values}", help="A parameter.")


class Commands(click.Group):
    """Turns what can go wrong into exit codes: 2 for bad input, 1 for a failure, 130 for Ctrl-C."""

    def invoke(self, context: click.Context):
        """Run the command."""
        try:
            return super().invoke(context)
        except AnalysisError as error:
            self.leave(error, getattr(error, "exit_code", 2))
        except OSError as error:
            self.leave(f"{error}; the last complete results are unchanged", 1)
        except KeyboardInterrupt:
            self.leave("interrupted; the last complete results are unchanged", 130)

    @staticmethod
    def leave(message: object, code: int) -> None:
        """Say why, and end."""
        click.echo(f"error: {message}", err=True)
        sys.exit(code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def cli(context: click.Context) -> None:
    """Run the notebooks, sweep parameters, print the scorecard."""
    context.obj = context.obj or Project.here()


@cli.command()
@click.argument("notebooks", nargs=-1)
@parameter_option("VALUE")
@jobs_option
@click.option("--out", metavar="DIR", help="Results folder; default: results/ of the checkout.")
@data_option
@click.option("--force", is_flag=True, help="Run unchanged notebooks too.")
@timeout_option
@click.pass_obj
def run(project: Project, notebooks, given, jobs, out, data, force, timeout) -> None:
    """Run all or some NOTEBOOKS (names or paths) and print the scorecard."""
    from analysis.runner.report import failure_text
    from analysis.runner.run import Options, run

    project = project.with_results(out)
    report = run(project, notebooks, once_each(given), Options(jobs or 0, data, force, timeout))
    show_scorecard(project, "table")
    if report.unchanged:
        click.echo(f"unchanged, not run again: {', '.join(report.unchanged)}", err=True)
    for outcome in report.failures:
        click.echo(f"\n{failure_text(outcome)}", err=True)
    sys.exit(1 if report.failures else 0)


def once_each(given: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """The parameters as a dictionary; refuses a name given twice."""
    names = [name for name, _ in given]
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(f"parameter {name!r} is given {names.count(name)} times")
    return dict(given)


def show_scorecard(project: Project, form: str) -> None:
    """Print the scorecard of the last run."""
    from analysis.runner.scorecard import FORMATS

    click.echo(FORMATS[form](last_scorecard(project)), nl=False)


def last_scorecard(project: Project) -> list[dict]:
    """The records of the last finished run."""
    from analysis.runner.compare import load
    from analysis.runner.results import read_state

    if not read_state(project.results)["files"]:
        raise ParameterError(f"no finished run in {project.results}; start one with: python -m analysis run")
    return load(project.results / "scorecard.json")


@cli.command()
@click.option("--format", "form", type=click.Choice(["table", "json", "csv", "markdown"]), default="table")
@click.option("--compare", "old", metavar="OLD.json", type=click.Path(path_type=Path), help="Print what changed.")
@click.option("--results", metavar="DIR", help="Results folder; default: results/ of the checkout.")
@click.pass_obj
def scorecard(project: Project, form: str, old: Path | None, results: str | None) -> None:
    """Print the last run's scorecard, or what changed since OLD.json."""
    from analysis.runner import compare

    project = project.with_results(results)
    if old is None:
        show_scorecard(project, form)
        return
    changes = compare.changes(compare.load(old), last_scorecard(project))
    click.echo("\n".join(map(str, changes)) or "no verdict, estimate or error has changed")
    sys.exit(3 if any(change.is_verdict for change in changes) else 0)


@cli.command()
@click.argument("claim")
@parameter_option("V1,V2,…")
@jobs_option
@out_option
@data_option
@click.option("--notebooks", is_flag=True, help="Run the claim's notebook at each point instead of evaluate.")
@timeout_option
@click.pass_obj
def sweep(project: Project, claim, given, jobs, out, data, notebooks, timeout) -> None:
    """Evaluate CLAIM over a grid of parameter values, as CSV."""
    from analysis.runner import sweeps
    from analysis.runner.run import Options

    values = once_each(given)
    if notebooks:
        text = sweeps.through_notebook(project, claim, values, Options(jobs or 0, data, timeout=timeout))
    else:
        grid = sweeps.grid_of(project, claim, values, data)
        text = project.ledger.sweep(claim, grid, jobs=jobs or 1, data=data).to_csv(index=False, lineterminator="\n")
    deliver(text, out)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@out_option
@data_option
def predict(file: Path, out: Path | None, data: str | None) -> None:
    """Predict each row of a measurements table FILE."""
    from analysis.evidence.predict import predict_file

    deliver(predict_file(file, data).to_csv(index=False, lineterminator="\n"), out)


def whole_numbers(context: click.Context, option: click.Parameter, text: str | None) -> list[int]:
    """The numbers of a list such as 1000,10000; none where it is not given."""
    try:
        return [int(part) for part in text.split(",")] if text is not None else []
    except ValueError:
        raise click.BadParameter(f"{text!r} is no list of whole numbers such as 1000,10000") from None


@cli.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--blocks", metavar="N,N,…", callback=whole_numbers, help="Cache sizes, in blocks of 512 tokens.")
@click.option("--caches", metavar="K", type=int, help="Compare K private caches of each size with one pool of all.")
def replay(trace: Path, blocks: list[int], caches: int | None) -> None:
    """Print the prefix-cache hits of a request TRACE (JSON lines; plain, .gz or .xz) as JSON."""
    from analysis.evidence.replay import replay

    click.echo(json.dumps(replay(trace, blocks, caches), indent=2))


@cli.command()
@out_option
@data_option
@click.pass_obj
def calibrate(project: Project, out: Path | None, data: str | None) -> None:
    """Fit the free constants on `calibrate` rows and write data/calibration.csv.

    With --data, the constants that the reader's rows give are printed instead, or written to --out.
    """
    from analysis.evidence.calibrate import calibrate as fit_all
    from analysis.facts import open_facts

    text = fit_all(open_facts(data)).to_csv(index=False, lineterminator="\n")
    deliver(text, out if out or data else project.data / "calibration.csv")


def deliver(text: str, out: Path | None) -> None:
    """Print a text, or write it to a file, whole or not at all."""
    from analysis.runner.files import write_whole

    if out is None:
        click.echo(text, nl=False)
    else:
        write_whole(out, text)


@cli.command("update-outputs")
@jobs_option
@timeout_option
@click.pass_obj
def update_outputs(project: Project, jobs: int | None, timeout: float) -> None:
    """Execute all notebooks at their defaults and write their outputs into notebooks/."""
    from analysis.runner import outputs
    from analysis.runner.run import Options

    changed = outputs.update_outputs(project, Options(jobs or 0, timeout=timeout))
    click.echo(f"changed: {', '.join(changed) or 'nothing'}")


@cli.command("update-goldens")
@jobs_option
@timeout_option
@click.pass_obj
def update_goldens(project: Project, jobs: int | None, timeout: float) -> None:
    """Run the notebooks at the settings of tests/golden/settings.json and rewrite the golden records."""
    from analysis.runner import outputs
    from analysis.runner.run import Options

    changes = outputs.update_goldens(project, Options(jobs or 0, timeout=timeout))
    click.echo("\n".join(map(str, changes)) or "no verdict, estimate or error has changed")


if __name__ == "__main__":
    cli(prog_name="python -m analysis")
