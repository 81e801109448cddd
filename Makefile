# Everything a person runs. Each target sets up what it needs; a second set-up installs nothing.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin

# Caches stay in the working folder, and no dependency phones home.
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export NPM_CONFIG_CACHE := $(CURDIR)/.cache/npm
export NPM_CONFIG_UPDATE_NOTIFIER := false
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export PREFECT_HOME ?= $(CURDIR)/.cache/prefect
# kept, since most processes here live for seconds
export PYTHONDONTWRITEBYTECODE :=

PY_STAMP := .venv/.installed
NPM_STAMP := opencode/node_modules/.installed
TOKENIZER_STAMP := tests/tokenizer/node_modules/.installed

PACKAGES := autofix flows tasks sandbox
# tests that start processes and wait for them; all others compute
PROCESSES := tests/e2e tests/flows tests/sandbox

.PHONY: help setup demo eval-model eval-detection test test-processes test-worlds test-computing lint format typecheck bench lock chaos scale-check pictures up down clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(PY_STAMP) $(NPM_STAMP) $(TOKENIZER_STAMP) ## install the pinned Python and Node packages (once)

$(PY_STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "railway-autofix needs Python 3.11 or newer; set PYTHON=/path/to/python3.11 and run make again")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "setup: Python packages from requirements.lock"
	@# the lock is whole: without --no-deps pip looks at newer versions of what is capped, and gives up;
	@# most modules are never imported, and compiling them all is a third of the time
	@$(BIN)/python -m pip install --quiet --no-compile --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-compile --no-deps --no-build-isolation --editable .
	@touch $@

# the package's own install step starts the program, which writes into its home
$(NPM_STAMP): opencode/package.json opencode/package-lock.json
	@echo "setup: OpenCode from opencode/package-lock.json"
	@mkdir -p .cache/home
	@cd opencode && NPM_CONFIG_USERCONFIG="$(HOME)/.npmrc" HOME="$(CURDIR)/.cache/home" \
	  npm install --omit-lockfile-registry-resolved --no-audit --no-fund --loglevel=error
	@touch $@

# the yardstick that the estimate of tokens is held against
$(TOKENIZER_STAMP): tests/tokenizer/package.json tests/tokenizer/package-lock.json
	@echo "setup: tokenizer for the tests from tests/tokenizer/package-lock.json"
	@cd tests/tokenizer && npm install --omit-lockfile-registry-resolved --no-audit --no-fund --loglevel=error
	@touch $@

demo: setup ## the whole story on embedded defaults; KEEP=1 leaves it running
	@$(BIN)/python -m sandbox.demo $(if $(KEEP),--keep)

eval-model: setup ## every scenario with a real model, when OPENAI_API_KEY is set (see docs/evals.md)
	@$(BIN)/python -m tests.evals

eval-detection: setup ## the detector on generated days it has not seen, beside a plain rule
	@$(BIN)/python -m tests.eval_detection

test: ## every check and every test, one end-to-end run included
	@$(MAKE) --no-print-directory --jobs=2 setup
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test-processes
	@# what computes takes the time that the worlds leave
	@$(MAKE) --no-print-directory --jobs=2 test-worlds test-computing

test-processes: setup
	@# more at once than cores: many wait for processes that they started
	@$(BIN)/python -m pytest -n 4 --dist loadscope --no-loadscope-reorder --durations=15 -m "not world and not live" $(PROCESSES)

test-worlds: setup
	@$(BIN)/python -m pytest --durations=15 -m "world and not live" tests/e2e

test-computing: setup
	@$(BIN)/python -m tests.aside $(BIN)/mypy $(PACKAGES)
	@$(BIN)/python -m tests.aside $(BIN)/python -m pytest -n 2 --dist loadscope --durations=15 $(addprefix --ignore=,$(PROCESSES))

lint: setup ## style, import borders, Dockerfile
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/hadolint Dockerfile opencode/Dockerfile

format: setup ## rewrite the code in the house style
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

typecheck: setup ## mypy, strict
	@$(BIN)/mypy $(PACKAGES)

bench: setup ## speed and memory, as ratios in one run
	@$(BIN)/python -m tests.bench

lock: ## write requirements.lock and the package-lock.json files anew (needs uv)
	uv pip compile --universal --generate-hashes --no-header --python-version 3.11 --group dev pyproject.toml -o requirements.lock
	uv pip compile --universal --generate-hashes --no-header --python-version 3.11 --constraint requirements.lock --group build pyproject.toml -o requirements.runtime.lock
	cd opencode && npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund
	cd tests/tokenizer && npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund

pictures: setup ## what a person sees, into docs/pictures (needs chromium)
	@$(BIN)/python -m tests.pictures

chaos: setup ## kill -9 at every task boundary, rerun, and count what is in the world
	@$(BIN)/python -m tests.chaos

scale-check: setup ## PostgreSQL, two workers, one killed in the middle of a fix
	@$(BIN)/python -m tests.scale

up: setup ## everything on this machine from .env, until it is stopped
	@$(BIN)/python -m flows.up

down: setup ## stop what `make up` started
	@$(BIN)/python -m flows.up --down

clean: ## remove what setup and the runs left in this folder
	rm -rf .venv .cache .autofix opencode/node_modules tests/tokenizer/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
