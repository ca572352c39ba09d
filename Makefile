# Everything needs only Python 3.11+ and make: .venv and uv are made on the first call, and found on the next.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.synced

# Many images set it. Then each of the thousands of processes that start here would compile all modules again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo test unit test-python fuzz coverage lint types style format bench bench-balance bench-store soak chaos chaos-hosts peers smoke audit release clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make .venv with everything that development needs

$(STAMP): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "evsup needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet 'uv>=0.9,<1'; }
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv sync --frozen --inexact --quiet --active --compile-bytecode
	@touch $@

demo: $(STAMP) ## Move 27,004 real events through local services and prove that each is there once
	@$(BIN)/python -m scripts.demo

test: $(STAMP) ## Run all tests: unit, simulation, integration, acceptance, chaos
	@$(BIN)/python -m compileall -q shared supervisor worker scripts tests # once, before six processes do it
	@$(BIN)/python -m pytest -n 6 --dist loadfile --no-loadscope-reorder

unit: $(STAMP) ## Run the unit tests and the simulation only
	@$(BIN)/python -m pytest tests/unit tests/simulation

test-python: ## Run unit tests and demo on another interpreter: make test-python PYTHON=python3.13
	@$(MAKE) --no-print-directory unit demo VENV=.venv-$$($(PYTHON) -c 'import platform; print(platform.python_version())')

fuzz: $(STAMP) ## Try the properties in the unit tests on a thousand random examples each
	@$(BIN)/python -m pytest tests/unit -m hypothesis --hypothesis-profile explore --timeout 600

# Beside the unit tests, the files that start real trees and stop them in order: a killed process writes no data. Not the
# simulation: it runs the same lines a million times, and each of them costs much more while it is counted.
COVERED := tests/unit tests/acceptance/start/test_every_event_once.py tests/acceptance/start/test_signals.py

coverage: $(STAMP) ## Show which lines and branches the unit tests and two acceptance files reach
	@rm -rf .coverage && mkdir .coverage
	@$(BIN)/coverage run -m pytest -q -n 2 --dist loadfile --timeout 600 $(COVERED)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

# In a new checkout the types take as long as all the rest.
lint: $(STAMP) ## Check format, style, types, import rules, generated files and links
	@$(MAKE) --no-print-directory --jobs=2 --output-sync types style

types: $(STAMP)
	@$(BIN)/mypy

style: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m scripts.docs.settings
	@$(BIN)/python -m scripts.docs.metrics
	@$(BIN)/python -m scripts.docs.json_contract
	@$(BIN)/python -m scripts.docs.events
	@$(BIN)/python -m scripts.docs.runbook
	@$(BIN)/python -m scripts.docs.performance
	@$(BIN)/python -m scripts.docs.links

format: $(STAMP) ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(STAMP) ## Measure evsup against other programs for twelve minutes, and write docs/performance.md
	@$(BIN)/python -m scripts.bench --write; code=$$?; $(BIN)/python -m scripts.docs.performance --write && exit $$code

bench-balance: $(STAMP) ## Measure leases and balancing: 4 supervisors, 32 partitions, one Postgres
	@$(BIN)/python -m scripts.bench.balance

bench-store: $(STAMP) ## Measure what Postgres is asked as a control store, and what 1,000 partitions cost it
	@$(BIN)/python -m scripts.bench.store

soak: $(STAMP) ## Move two partitions at full speed for half an hour: memory, descriptors and speed must not change
	@$(BIN)/python -m scripts.bench.soak

# make chaos SEED=7 SECONDS=30; without them the seed is random, and each run knows how long it takes.
STORM = $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS))

chaos: $(STAMP) ## Strike two supervisors with random faults for a minute, then prove every event
	@$(BIN)/python -m scripts.chaos $(STORM)

chaos-hosts: $(STAMP) ## Break the network between many hosts (namespaces), restart and scale, and prove every event
	@$(BIN)/python -m scripts.chaos.hosts $(STORM)

peers: $(STAMP) ## Run Azure's client for JavaScript against the local Event Hubs (needs node and npm)
	@$(BIN)/python -m scripts.peers

smoke: $(STAMP) ## Send markers and find each once: here, and in the cloud when the settings name one
	@$(BIN)/python -m scripts.smoke

audit: $(STAMP) ## Look for known vulnerabilities in the locked packages that evsup runs on (asks PyPI)
	@$(BIN)/uv export --frozen --quiet --no-dev --all-extras --no-emit-project --output-file $(VENV)/runtime.txt
	@$(BIN)/uvx --quiet 'pip-audit>=2.9,<3' --strict --disable-pip --requirement $(VENV)/runtime.txt

release: lint ## Set version and changelog, try wheel and sdist outside the checkout, tag: make release VERSION=x.y.z
	@$(BIN)/python -m scripts.release $(VERSION)

clean: ## Remove .venv, those of test-python, caches and built packages
	@rm -rf $(VENV) .venv-* dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
