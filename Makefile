# `make help` lists what there is. Each target installs what it needs, and does so once.

PYTHON ?= python3
PORT ?= 5000
MINUTES ?= 3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable
DESKTOP := $(DISPLAY)$(WAYLAND_DISPLAY)$(filter Darwin,$(shell uname))
export DO_NOT_TRACK := true

.DEFAULT_GOAL := help
.PHONY: help run install test test-fast fuzz check audit format viz viz-build ui notebooks screenshots bench faults cluster-up package constraints clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## Install, then run all stages (kedro run)
	$(BIN)/kedro run

install: $(VENV)/.installed-dev ## Install everything, for development too

test: $(VENV)/.installed-dev ## Run all tests
	$(BIN)/pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

test-fast: $(VENV)/.installed-dev ## Run the tests that take no longer than seconds
	$(BIN)/pytest -m "not slow"

fuzz: $(VENV)/.installed-dev ## Try changed files and requests on what reads them (make fuzz MINUTES=3)
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

check: $(VENV)/.installed-dev ## Lint, check format, types and import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: $(VENV)/.installed-dev ## Look for known vulnerabilities (.ci/audit exits 1: some, 3: not known)
	$(BIN)/ruff check # with its security rules
	.ci/audit

format: $(VENV)/.installed-dev ## Format, and mend what can be mended
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Kedro-Viz opens its address with the command in BROWSER, as soon as it answers there. This one
# prints the link to the stages and candidates alone and, on a desktop, opens that.
viz: export BROWSER = sh -c 'echo "Stages and candidates alone at $$0?types=nodes"$(OPEN)' %s
viz: OPEN = $(if $(DESKTOP), && env -u BROWSER $(BIN)/python -m webbrowser "$$0?types=nodes")
viz: $(VENV)/.installed ## Look at the DAG in the browser (kedro viz)
	$(BIN)/kedro viz run

viz-build: $(VENV)/.installed ## Write the DAG as a static site into build/
	$(BIN)/kedro viz build --include-previews
	@echo "Look at it with: $(BIN)/python -m http.server 4141 --directory build"
	@echo "Stages and candidates alone: http://127.0.0.1:4141/?types=nodes"

ui: $(VENV)/.installed ## Open MLflow on the latest run (on another port: make ui PORT=5001)
	$(BIN)/kedro ui --port $(PORT)

notebooks: $(VENV)/.installed-dev ## Execute the notebooks anew on what the latest run saved
	$(BIN)/python -m notebooks

screenshots: $(VENV)/.installed-dev ## Make the pictures of README and docs anew (needs Chromium)
	$(BIN)/python -m docs.make_screenshots

bench: $(VENV)/.installed-dev ## Measure side by side with what one would use instead
	$(BIN)/python -m benchmarks

cluster-up: $(VENV)/.installed-dev ## Run what --env=cluster needs on this machine, until Ctrl-C
	$(BIN)/python -m cluster

faults: $(VENV)/.installed-dev ## Kill, stop, fill, run at once: the long fault suite, into docs/reliability.md
	$(BIN)/python -m tests.faults

package: $(VENV)/.installed-dev ## Build a wheel and an archive of conf/ into dist/
	$(BIN)/kedro package

constraints: $(VENV)/.installed-dev ## Pin everything anew, into constraints.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-emit-package pip \
		--custom-compile-command "make constraints" --output-file constraints.txt pyproject.toml

clean: ## Remove what was built; keeps data/ and .venv
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV): 2 GB, some minutes."
	$(INSTALL) .
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV): 2 GB, some minutes."
	$(INSTALL) ".[dev]"
	touch $@ $(VENV)/.installed
