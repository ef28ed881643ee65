# Two commands do everything on a fresh machine: `make demo` and `make test`. `make help` lists the rest.
PYTHON  ?= python3
VENV    ?= .venv
PROFILE ?= demo
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.made-from-lock
PYTEST   = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
export HF_HUB_OFFLINE ?= 1
unexport PYTHONDONTWRITEBYTECODE # which many containers set: each of some hundred processes would compile all anew

.DEFAULT_GOAL := help
.PHONY: help setup demo check test test-all lint types unit nbval faults lab notebooks docs lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make .venv from requirements.lock, if it is missing or the lock has changed

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up $(VENV) (about 6 GB with PyTorch, a few minutes) ..."
	@rm -f $@
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: $(STAMP) ## set up, then run all notebooks on the demo world (no GPU, no data needed)
	$(BIN)/showcase run --profile $(PROFILE)

check: WORKERS ?= 2
check: lint types ## while you work: style, types, every fast test
	$(PYTEST) -m "not slow" tests

# one waits for a browser, a server or another process while two compute
test test-all unit: WORKERS ?= 3
test: lint types unit ## set up, then style, types, all tests, and all notebooks on the smoke profile

test-all: test ## that, and the committed notebooks on the demo profile: ten minutes more, or twenty
	$(BIN)/showcase run --profile demo
	$(PYTEST) -p nbval --nbval-lax --nbval-cell-timeout=1800 notebooks

lint: $(STAMP) ## style of code, docstrings and notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## the type checker
	$(BIN)/mypy

unit: $(STAMP) ## all tests, fast and slow
	$(PYTEST) --durations=12 tests

nbval: $(STAMP) ## run all notebooks on the smoke profile, and again to compare their marked cells
	$(BIN)/python -m pytest tests/notebooks

faults: $(STAMP) ## kill, fill up, flip and flood everything, and write the table in benchmarks/README.md: an hour
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults.campaign --write

lab: $(STAMP) ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

notebooks: $(STAMP) ## run the notebooks on the demo profile and write them, and their figures, back
	$(BIN)/showcase run --profile demo --publish

screenshots: $(STAMP) ## photograph page and app for README (after `make demo`; needs a Chromium)
	$(BIN)/python figures/screens/take.py

docs: $(STAMP) ## pages of the package's names and docstrings, in site/
	$(BIN)/pdoc --math --docformat google --output-directory site showcase_utils \
	  $(subst /,.,$(patsubst %/,%,$(dir $(wildcard showcase_utils/*/__init__.py))) $(basename $(wildcard showcase_utils/[a-z]*.py)))

lock: $(STAMP) ## resolve pyproject.toml anew into requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --no-emit-package personalized-showcases pyproject.toml -o requirements.lock

clean: ## remove artifacts (the environment stays)
	rm -rf artifacts site
