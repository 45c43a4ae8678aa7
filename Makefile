# Two commands matter: `make reproduce` and `make test`. Both first make .venv from requirements.lock, inside this folder.
# A target is listed by `make help` when its line carries a "##" comment.

PYTHON ?=
ARGS ?=
PYTEST_ARGS ?=

CACHE := $(CURDIR)/.cache
PY := .venv/bin/python
READY := .venv/.ready

# Everything that a tool would write to the home folder or beside the interpreter goes to .cache instead.
export XDG_CACHE_HOME := $(CACHE)
export PIP_CACHE_DIR := $(CACHE)/pip
export UV_CACHE_DIR := $(CACHE)/uv
export JUPYTER_DATA_DIR := $(CACHE)/jupyter/data
export JUPYTER_CONFIG_DIR := $(CACHE)/jupyter/config
export JUPYTER_RUNTIME_DIR := $(CACHE)/jupyter/runtime
export JUPYTER_PREFER_ENV_PATH := 1
export IPYTHONDIR := $(CACHE)/ipython
export MPLCONFIGDIR := $(CACHE)/matplotlib
export NUMBA_CACHE_DIR := $(CACHE)/numba
export HYPOTHESIS_STORAGE_DIRECTORY := $(CACHE)/hypothesis
export PYTEST_DEBUG_TEMPROOT := $(CACHE)/pytest
export PYTHONPYCACHEPREFIX := $(CACHE)/pycache
export PYTHONUTF8 := 1
export PYTHONNOUSERSITE := 1
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: help setup reproduce test lint format lab update-outputs update-goldens lock clean distclean FORCE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo '  ARGS="..." goes to `python -m analysis run`, PYTEST_ARGS="..." to pytest, PYTHON=... chooses the interpreter.'

setup: $(READY) ## make or renew .venv from requirements.lock
	@:

reproduce: $(READY) ## run every notebook, write results/, print the scorecard
	@$(PY) -m analysis run $(ARGS)

test: lint ## lint, every test and docstring example, then the committed outputs of the notebooks
	@mkdir -p $(PYTEST_DEBUG_TEMPROOT)
	@$(PY) -m pytest -q -n auto --maxprocesses 8 $(PYTEST_ARGS)
	@[ -n "$(PYTEST_ARGS)" ] || $(PY) -m pytest -q --nbval notebooks

lint: $(READY) ## check style and formatting, change nothing
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

format: $(READY) ## sort imports, mend what is safe to mend, format
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

lab: $(READY) ## open JupyterLab on notebooks/
	@$(PY) -m jupyter lab --notebook-dir=notebooks

update-outputs: $(READY) ## execute the notebooks in place; look at the diff before you commit
	@$(PY) -m analysis update-outputs

update-goldens: $(READY) ## rewrite golden records, figure baselines and the README picture; a person reads their diff
	@$(PY) -m analysis update-goldens
	@$(PY) -m pytest -q --mpl-generate-path=tests/baseline tests/test_figures*.py

lock: ## rewrite requirements.lock from pyproject.toml (newest versions: UPGRADE=1)
	@bash tools/setup.sh lock $(if $(UPGRADE),--upgrade)

clean: ## remove results/ and every cache
	rm -rf results .cache build .pytest_cache .ruff_cache .hypothesis .ipynb_checkpoints notebooks/.ipynb_checkpoints

distclean: clean ## remove .venv as well
	rm -rf .venv *.egg-info

# The stamp is written last and names the folder it was made for: a set-up that was killed, a moved checkout or an
# interpreter that is gone all make it out of date.
$(READY): requirements.lock pyproject.toml tools/setup.sh
	@bash tools/setup.sh install

ifneq ($(shell [ -x $(PY) ] && cat $(READY) 2>/dev/null),$(CURDIR))
$(READY): FORCE
endif
