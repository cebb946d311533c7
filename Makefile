# Works with Python 3.11 or newer on PATH and nothing else; everything it makes lies in this folder.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# The first that runs and is new enough: a name on PATH may be an empty shim.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev

# Third-party data that is not ours to ship; `make test-data` checks our reading of it.
DATA ?= ../shared/data
TESTS ?= tests
RUNS ?= 1000
SEED ?=
ARGS ?=

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: venv
venv: $(RUNTIME) ## install what Bellwether needs to run into .venv, locked and hashed

.PHONY: dev
dev: $(DEV) ## the same and what developing it needs

.PHONY: up
up: $(RUNTIME) ## run everything on this machine: Kafka, Postgres, the services (Ctrl-C stops it)
	@exec $(BIN)/bellwether up $(ARGS)

.PHONY: demo
demo: $(RUNTIME) ## 200 made-up customers, scored and watched live; ARGS="--for 20s" ends by itself
	@exec $(BIN)/bellwether demo $(ARGS)

.PHONY: check
check: $(DEV) ## everything that reads the code without running it
	@echo "ruff check";        $(BIN)/ruff check .
	@echo "ruff format";        $(BIN)/ruff format --check .
	@echo "mypy";               $(BIN)/mypy
	@echo "import-linter";      $(BIN)/lint-imports --no-logo
	@echo "generated schemas";  $(BIN)/python -m shared.contracts.generate --check

.PHONY: test
test: $(DEV) ## units, properties, and each service on a real Kafka and a real Postgres; TESTS=path
	@$(BIN)/python -m pytest -m "not slow" $(addprefix --ignore=tests/,data e2e faults simulation) $(TESTS) $(ARGS)

.PHONY: test-slow
test-slow: $(DEV) ## the rest of it: servers stopped, frozen, made anew, workers killed
	@$(BIN)/python -m pytest -m slow $(addprefix --ignore=tests/,data e2e faults simulation) $(TESTS) $(ARGS)

.PHONY: test-e2e
test-e2e: $(DEV) ## whole installations as a user runs them, killed and started again; some minutes
	@$(BIN)/python -m pytest tests/e2e $(ARGS)

.PHONY: test-simulation
test-simulation: $(DEV) ## both loops on twins of broker and store, RUNS=1000 invented histories
	@PYTHONHASHSEED=0 BELLWETHER_TEST_RUNS=$(RUNS) $(BIN)/python -m pytest tests/simulation $(ARGS)

.PHONY: test-faults
test-faults: $(DEV) ## everything killed, cut, frozen and restored at the worst moment; SEED=number repeats a run
	@BELLWETHER_TEST_SEED=$(SEED) $(BIN)/python -m pytest tests/faults $(ARGS)

.PHONY: test-mutants
test-mutants: $(DEV) ## remove each guard in turn: a named test must fail
	@$(BIN)/python -m tests.mutants $(ARGS)

.PHONY: test-data
test-data: $(DEV) ## checks on third-party data, DATA=folder
	@if [ ! -d "$(DATA)" ]; then echo "no folder $(DATA): say where the data is with DATA=folder" >&2; exit 2; fi
	@BELLWETHER_TEST_DATA="$$(cd "$(DATA)" && pwd)" $(BIN)/python -m pytest tests/data $(ARGS)

.PHONY: bench-smoke
bench-smoke: $(RUNTIME) ## a minute of figures from this machine, beside what its disk and broker can do at best
	@exec $(BIN)/bellwether bench $(ARGS)

.PHONY: contracts
contracts: $(RUNTIME) ## write the JSON Schemas again from the types
	@$(BIN)/python -m shared.contracts.generate

.PHONY: format
format: $(DEV) ## lay out the code and mend what ruff can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: lock
lock: ## write the requirements again from pyproject.toml; ARGS=--upgrade moves versions
	@PYTHON=$(PYTHON) scripts/lock $(ARGS)

.PHONY: clean
clean: ## remove what was made, except downloads and the data of `make up`
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .local/test
	@find . -name __pycache__ -type d -not -path './.*' -prune -exec rm -rf {} +

# One stamp per lock: a new lock or a new pyproject.toml installs again. The development lock contains the other.
$(RUNTIME): requirements.txt pyproject.toml | $(BIN)/python
	$(call install,requirements.txt)
	@touch $@

$(DEV): requirements-dev.txt pyproject.toml | $(BIN)/python
	$(call install,requirements-dev.txt)
	@touch $@ $(RUNTIME)

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "Bellwether needs Python 3.11 or newer on PATH" >&2; exit 2; fi
	@$(PYTHON) -m venv $(VENV) || { echo "this Python cannot make a venv; on Debian: apt install python3-venv" >&2; exit 2; }

define install
@echo "installing the packages of $(1) into $(VENV)"
@$(PIP) install --quiet --require-hashes --only-binary=:all: --requirement $(1)
@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
endef
