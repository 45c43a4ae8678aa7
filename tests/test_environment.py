"""The set-up: one list of dependencies, its lock, and the commands that a reader and CI call."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def bounds(requirements):
    """Map each requirement's normalised name to its version bounds; extras are left out."""
    parsed = [Requirement(requirement) for requirement in requirements]
    return {canonicalize_name(requirement.name): requirement.specifier for requirement in parsed}


def declared(*, with_setup):
    project = PROJECT["project"]
    setup = PROJECT["dependency-groups"]["setup"] if with_setup else []
    return bounds(project["dependencies"] + project["optional-dependencies"]["test"] + setup)


def locked_entries():
    """Entries of the lock, each a requirement followed by its hashes."""
    joined = re.sub(r"\\\n\s*", " ", LOCK)
    return [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]


def test_environment_yml_has_the_names_and_bounds_of_pyproject():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    conda = bounds(item for item in listed if isinstance(item, str))
    assert conda.pop("python") == Requirement("python" + PROJECT["project"]["requires-python"]).specifier
    conda.pop("pip")
    assert conda == declared(with_setup=False)
    assert [item["pip"] for item in listed if isinstance(item, dict)] == [["-e ."]]


def requirement_of(entry):
    return entry.split(" --hash=")[0]


def is_pinned(entry):
    requirement, *hashes = entry.split(" --hash=")
    one_version = re.fullmatch(r"==[^,*]+", str(Requirement(requirement).specifier))
    return one_version and hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64} *", digest) for digest in hashes)


def test_every_locked_requirement_is_one_version_with_hashes():
    assert locked_entries()
    assert [entry for entry in locked_entries() if not is_pinned(entry)] == []


def test_the_lock_meets_every_declared_bound():
    locked = {name: next(iter(bound)).version for name, bound in bounds(map(requirement_of, locked_entries())).items()}
    missing = declared(with_setup=True).keys() - locked.keys()
    assert not missing, f"not in requirements.lock: {sorted(missing)}. Run: make lock"
    violated = [
        f"{name}{bound} != {locked[name]}"
        for name, bound in declared(with_setup=True).items()
        if locked[name] not in bound
    ]
    assert not violated, f"outside the bounds of pyproject.toml: {violated}. Run: make lock"


def test_no_name_is_locked_twice():
    names = [canonicalize_name(Requirement(requirement_of(entry)).name) for entry in locked_entries()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("trace", [r"://", r"index-url", r"find-links", r"(^|[\s=@])/", r"file:"])
def test_the_lock_names_no_address_and_no_path(trace):
    assert re.findall(rf"^.*{trace}.*$", LOCK, flags=re.MULTILINE) == []


def test_ci_runs_the_test_command_of_the_readme():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert lines[-1].split("<")[0].strip() == "make test"


def test_help_is_the_first_target_and_lists_all_of_them():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.search(r"^\.PHONY:(.*)$", makefile, flags=re.MULTILINE)[1].split()) - {"FORCE"}
    described = re.findall(r"^  ([a-z-]+) {2,}\S", make(ROOT).stdout, flags=re.MULTILINE)
    assert described[0] == "help"
    assert sorted(described) == sorted(phony)


def make(folder, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def checkout(tmp_path):
    """A checkout with what set-up reads, and no environment yet."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "tools/setup.sh"):
        target = tmp_path / "checkout" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    return tmp_path / "checkout"


@pytest.fixture
def finished(checkout):
    """The same checkout, as a complete set-up leaves it."""
    interpreter = checkout / ".venv" / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    interpreter.symlink_to(sys.executable)
    (checkout / ".venv" / ".ready").write_text(f"{checkout}\n", encoding="utf-8")
    return checkout


def is_up_to_date(folder):
    return make(folder, "-q", ".venv/.ready").returncode == 0


def test_a_finished_environment_is_not_made_again(finished):
    assert is_up_to_date(finished)


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml", "tools/setup.sh"])
def test_a_changed_input_renews_the_environment(finished, changed):
    later = (finished / ".venv" / ".ready").stat().st_mtime + 1
    os.utime(finished / changed, (later, later))
    assert not is_up_to_date(finished)


def test_a_half_made_environment_is_made_again(finished):
    (finished / ".venv" / ".ready").unlink()
    assert not is_up_to_date(finished)


def test_a_moved_checkout_is_set_up_again(finished):
    moved = finished.rename(finished.with_name("moved"))
    assert not is_up_to_date(moved)


def test_an_interpreter_that_is_gone_is_replaced(finished):
    interpreter = finished / ".venv" / "bin" / "python"
    interpreter.unlink()
    interpreter.symlink_to(finished / "no-such-python")
    assert not is_up_to_date(finished)


def set_up_with(python_script, checkout):
    """Run the set-up with an interpreter of that text and nothing but basic tools on PATH, uv in particular not."""
    tools = checkout.parent / "bin"
    tools.mkdir()
    for name in ("bash", "cat", "dirname", "head", "mkdir", "rm"):
        (tools / name).symlink_to(shutil.which(name))
    (tools / "python3").write_text(python_script, encoding="utf-8")
    (tools / "python3").chmod(0o755)
    return subprocess.run(
        ["bash", "tools/setup.sh", "install"],
        cwd=checkout,
        env={"PATH": str(tools), "HOME": str(checkout.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_old_python_is_named_in_one_line(checkout):
    done = set_up_with('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\nexit 1\n', checkout)
    assert done.returncode != 0
    (message,) = done.stderr.splitlines()
    assert "3.11 or newer" in message
    assert "3.9.2" in message


def test_a_python_without_ensurepip_says_in_one_line_what_to_install(checkout):
    done = set_up_with(f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\nexec "{sys.executable}" "$@"\n', checkout)
    assert done.returncode != 0
    (message,) = [line for line in done.stderr.splitlines() if line.startswith("error")]
    assert "apt-get install python3-venv" in message
    assert not (checkout / ".venv").exists()
