#!/usr/bin/env bash
# Makes .venv from requirements.lock (install), or requirements.lock from pyproject.toml (lock). Called by the Makefile,
# which also sets the cache folders. Uses uv from PATH if there is one, else the uv pinned in the lock, else plain pip.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$(pwd)
lock=requirements.lock
stage=.venv/.locked # present once everything of the lock is installed
ready=.venv/.ready  # present once the project itself is installed too; holds the folder it was made for
export TMPDIR=$here/.cache/tmp # uv leaves lock files there
python= pip=
export UV_SYSTEM_CERTS=1 UV_PYTHON_DOWNLOADS=never PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

# Prints the pip that Python carries for ensurepip, a file to run it from. Debian has it only with python3-venv.
carried_pip() {
  "$1" -c 'import ensurepip, pathlib, sysconfig, venv
folders = sysconfig.get_config_var("WHEEL_PKG_DIR"), pathlib.Path(ensurepip.__file__).parent / "_bundled"
print(*[w for f in folders if f for w in sorted(pathlib.Path(f).glob("pip-*.whl"))][:1])' 2>/dev/null
}

# Sets python, the newest that is there, and pip; one that carries pip goes before one that does not.
choose_python() {
  local name
  for name in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
    "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    python=${python:-$name}
    pip=$(carried_pip "$name") && [ -n "$pip" ] && python=$name && return
  done
  [ -z "$python" ] || return 0
  name=$("${PYTHON:-python3}" --version 2>/dev/null) || true
  fail "Python 3.11 or newer is needed, found ${name:-none}." \
    "Install one (Debian: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python3"
}

# One set-up at a time. The lock belongs to the open file, so it goes when this process and its children are gone.
wait_for_turn() {
  mkdir -p "$TMPDIR"
  exec 9>.cache/setup.lock
  "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
}

# True when $1 was made for this folder, by an interpreter that is still there, after all the other arguments.
current() {
  local stamp=$1 input
  shift
  [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$here" ] || return 1
  for input; do [ ! "$input" -nt "$stamp" ] || return 1; done
}

venv_package() {
  [ "$("$python" -V)" = "$(python3 -V 2>&1)" ] && echo python3-venv || echo "${python##*/}-venv"
}

carried_pip_install() {
  PYTHONPATH=$pip .venv/bin/python -m pip install -qq --no-compile --require-hashes -r "$1"
}

# uv_install UV WHAT...: warnings about link modes and progress stay out of the output, errors do not.
uv_install() {
  local uv=$1
  shift
  "$uv" pip install --quiet --python .venv/bin/python "$@"
}

install_with_uv_on_path() {
  command -v uv >/dev/null &&
    uv venv --quiet --no-project --python "$(command -v "$python")" .venv &&
    uv_install uv --require-hashes -r "$lock"
}

install_with_pinned_uv() {
  awk '/^[^ #]/ { take = /^uv==/ } take' "$lock" >"$TMPDIR/uv.txt"
  carried_pip_install "$TMPDIR/uv.txt" && uv_install .venv/bin/uv --require-hashes -r "$lock"
}

install_locked() {
  say "setting up .venv with $("$python" --version) ..."
  rm -rf .venv
  if ! install_with_uv_on_path; then
    [ -n "$pip" ] || fail "$python cannot make an environment: apt-get install $(venv_package)" \
      "(or put uv on PATH), then call make again"
    "$python" -m venv --clear --without-pip .venv
    if ! install_with_pinned_uv; then
      say "uv did not manage; going on with pip, which takes about a minute"
      carried_pip_install "$lock"
    fi
  fi
  printf '%s\n' "$here" >"$stage"
}

# Editable. No build isolation: the builder is in the lock as well, so nothing is fetched here.
install_project() {
  local flags=(--no-deps --no-build-isolation --editable .)
  uv_install .venv/bin/uv "${flags[@]}" 2>/dev/null ||
    .venv/bin/python -m pip install --quiet "${flags[@]}"
  printf '%s\n' "$here" >"$ready"
}

install() {
  wait_for_turn
  if ! current "$ready" "$lock" pyproject.toml tools/setup.sh; then
    current "$stage" "$lock" tools/setup.sh || install_locked
    install_project
  fi
}

# By the uv of .venv, so that the same version writes the lock everywhere. Existing pins are kept without --upgrade.
lock() {
  local uv=.venv/bin/uv
  [ -x "$uv" ] || install
  "$uv" pip compile pyproject.toml --extra test --group setup --universal --python-version 3.11 \
    --fork-strategy fewest --generate-hashes --no-emit-index-url --no-header --quiet --output-file "$lock" "$@"
}

choose_python
case ${1:-} in
  install) install ;;
  lock) shift; lock "$@" ;;
  *) fail "usage: tools/setup.sh install | lock [--upgrade]" ;;
esac
