# The first Python on the path that is new enough; name another with `make setup PYTHON=python3.13`.
PYTHON ?= $(or $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done),python3)

BIN := .venv/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo check test conformance bench fmt lock clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## .venv with everything that requirements.lock names
	@$(PYTHON) tools/venv.py

demo: setup ## a session on the embedded exchange, no key and no network needed
	@$(BIN)/polystra demo $(ARGS)

check: setup ## format, lint, types, import contracts, all tests, conformance: what CI runs
	@$(BIN)/python tools/check.py $(ARGS)

test: setup ## all tests, without coverage; make test ARGS="tests/unit -k book"
	@$(BIN)/python -m pytest $(ARGS)

conformance: setup ## which acceptance conditions have a passing test
	@$(BIN)/python -m tools.conformance $(ARGS)

bench: setup ## speed against peers and alternatives, as ratios of one run
	@$(BIN)/python -m benchmarks $(ARGS)

fmt: setup ## format, and fix what can be fixed without a person
	@$(BIN)/ruff format --quiet
	@$(BIN)/ruff check --fix --quiet

lock: ## resolve pyproject.toml anew into requirements.lock (needs uv)
	@uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-strip-extras --all-extras --python-version 3.11 \
		pyproject.toml -o requirements.lock

clean: ## remove all that was made here, .venv too
	@rm -rf .venv build dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
