# Needs python3 (3.11 or newer) and PyPI; everything else is installed into .venv. `make help` lists what can be run.

PYTHON ?= python3
PYTHONS ?= python3.11 python3.12 python3.13 python3.14
VENV ?= .venv
ARGS ?=
JOBS ?= -n auto --maxprocesses 4 --dist loadfile
EFFORT ?= 30

BIN := $(VENV)/bin
READY := $(VENV)/.ready

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: browser screenshots help setup demo test test-all fuzz soak lint format types bench bench-console conformance conformance-all peers bench-peers bench-peers-service bench-peers-sdk clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo 'PYTHON=python3.13 picks the interpreter when .venv is made; ARGS="-k retry" is passed on to test, demo and bench. JOBS= runs all tests in one process.'

setup: $(READY) ## Make .venv and install the package and its tools (the others do it when needed)

demo: $(READY) ## Show an execution that survives a crash
	$(BIN)/python -m examples.demo $(ARGS)

test: $(READY) ## Run the tests
	@$(BIN)/python -m tests.conformance.suite || echo 'the conformance suite cannot be downloaded: its tests are skipped' >&2
	$(BIN)/python -m pytest $(JOBS) $(ARGS)

test-all: ## Run the tests on every interpreter of PYTHONS that this machine has
	@found=''; \
	for python in $(PYTHONS); do \
		if ! $$python -c '' 2>/dev/null; then echo "no $$python here: skipped"; continue; fi; \
		found=yes; echo "== $$python"; \
		$(MAKE) --no-print-directory test PYTHON="$$python" VENV="build/venv/$$(echo "$$python" | tr / _)" || exit 1; \
	done; \
	test -n "$$found" || { echo 'none of PYTHONS is on this machine: $(PYTHONS)' >&2; exit 1; }

lint: $(READY) ## Check style and formatting, and that our own handlers replay
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/everstep lint examples bench tests/conformance

format: $(READY) ## Write the formatting that lint asks for, and the fixes that are safe
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(READY) ## Check types, twice: mypy and pyright
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

browser: $(READY) ## Bring a Chromium for the console's tests, unless there is one: Debian's where apt-get may, else Playwright's for this user alone
	@if found=$$(command -v chromium || command -v chromium-browser); then echo "there is $$found"; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get -qq update && apt-get -qq install --no-install-recommends chromium >/dev/null; then \
		echo "installed $$(command -v chromium)"; \
	else $(BIN)/python -m playwright install chromium; fi

screenshots: $(READY) ## Draw docs/images from the console, with the order example (needs `make browser`)
	$(BIN)/python -m tests.console.screenshots

fuzz: $(READY) ## Run the randomised tests of the service and its HTTP API for EFFORT times as long as test does
	EVERSTEP_EFFORT=$(EFFORT) $(BIN)/python -m pytest --timeout 0 tests/fuzz tests/service/test_same_on_every_store.py $(ARGS)
	$(BIN)/python -m pip install --quiet --group fuzz
	$(BIN)/python -m tests.fuzz.schema 120

soak: $(READY) ## Run 10,000 executions under a hundred kills, on SQLite and on PostgreSQL, and the fault tests that take longer
	$(BIN)/python -m tests.faults.soak --store sqlite $(ARGS)
	$(BIN)/python -m tests.faults.soak --store postgres $(ARGS)
	EVERSTEP_EFFORT=2 $(BIN)/python -m pytest tests/faults

conformance: $(READY) ## Run the published conformance requirements; EVERSTEP_CONFORMANCE is the directory of run_conformance.py
	$(BIN)/python -m tests.conformance.run $(ARGS)

conformance-all: $(READY) ## The same in every home: three kinds of functions, two stores, three times (16 minutes)
	$(BIN)/python -m tests.conformance.run --functions all --store all --times 3 $(ARGS)

peers: $(READY) ## Run handlers of the official Python SDK, and AWS's command line, against our server
	$(PYTHON) -m venv build/peers
	build/peers/bin/python -m pip install --quiet 'aws-durable-execution-sdk-python==3.0.0' 'awslambdaric>=3' 'awscli>=1.44'
	$(BIN)/python -m tests.peers.run build/peers/bin/python

bench: $(READY) ## Measure, and print the figures
	$(BIN)/python -m bench.run $(ARGS)

bench-console: $(READY) ## Measure when the console's pages are seen, with 100,000 executions (needs `make browser`)
	$(BIN)/python -m bench.console $(ARGS)

bench-peers: bench-peers-service bench-peers-sdk ## Measure the service and the SDK beside others, and write bench/RESULTS.md (without ARGS)

bench-peers-service: $(READY) ## Measure the service beside DBOS, Absurd, Restate and AWS's local runner (needs npm)
	$(BIN)/python -m bench.peers.field.run $(ARGS)

bench-peers-sdk: $(READY) ## Measure the SDK beside others; SUITE is the directory of the scenario suite
	$(BIN)/python -m bench.peers.run $(SUITE) $(ARGS)

clean: ## Remove everything that these targets made, .venv too
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installed when pyproject.toml has changed since. --group needs pip 25.1, and a new venv may bring an older one.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Everstep needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + ": say `make PYTHON=python3.13 ...`")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@
