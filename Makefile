# Works on a fresh Debian machine with Python 3.11: every target makes what it needs first.

VENV   := .venv
BIN    := $(VENV)/bin
PYTEST := $(BIN)/pytest
# One more than there are cores: many tests wait for servers.
WORKERS := $(shell echo $$(($$(nproc) + 1)))

# Commands start in half the time when Python may keep what it has compiled.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test check lint format torture bench servers clean

help: ## show these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## the whole product on embedded SQLite, under a minute, no server needed
	$(BIN)/replicator demo

test: $(VENV)/installed-dev servers ## the tests, against real PostgreSQL, MariaDB and MySQL 8 servers
	$(PYTEST) -n $(WORKERS) --dist worksteal

check: lint test ## what CI runs: lint, types, layers, then the tests

lint: $(VENV)/installed-dev ## style, types and layers only
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-dev ## format the code and mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

torture: $(VENV)/installed-dev servers ## the long forms of the acceptance tests (many minutes)
	$(PYTEST) -m torture

bench: $(VENV)/installed-dev servers ## the benchmarks; prints ratios measured in one run
	$(BIN)/python -m tests.benchmarks

servers: ## install the servers that the tests start, where missing
	scripts/install-test-servers

clean: ## remove the virtual environment and everything generated
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	scripts/make-virtualenv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/installed
