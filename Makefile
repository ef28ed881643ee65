# Two commands do everything on a fresh machine: `make demo` and `make test`. `make help` lists the rest.
PYTHON  ?= python3
VENV    ?= .venv
PROFILE ?= demo
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.made-from-lock
export HF_HUB_OFFLINE ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint unit nbval lab notebooks lock clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make .venv from requirements.lock, if it is missing or the lock has changed

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up $(VENV) (about 6 GB with PyTorch, a few minutes) ..."
	@rm -f $@
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: $(STAMP) ## set up, then run all notebooks on the demo world (no GPU, no data needed)
	$(BIN)/showcase run --profile $(PROFILE)

test: lint unit nbval ## set up, then lint, unit tests and the committed notebooks

lint: $(STAMP) ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

unit: $(STAMP) ## unit tests
	$(BIN)/python -m pytest tests

nbval: $(STAMP) ## run the committed notebooks and compare their marked cells
	$(BIN)/python -m pytest --nbval-lax --nbval-cell-timeout=1800 notebooks

lab: $(STAMP) ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

notebooks: $(STAMP) ## run the notebooks on the demo profile and write them, and their figures, back
	$(BIN)/showcase run --profile demo --publish

lock: $(STAMP) ## resolve pyproject.toml anew into requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra test --extra scale --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock

clean: ## remove artifacts (the environment stays)
	rm -rf artifacts
