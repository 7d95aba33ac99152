# `make` or `make help` lists the words. Only `make chaos` needs root; `make test` uses it where it may.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup run lab check format test simulate bench chaos docs screenshots release clean

help: ## list these words
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# A stamp per set of packages: a second `make run` starts at once.
$(VENV)/.run: pyproject.toml
	@scripts/make-venv $(PYTHON) $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.setup: pyproject.toml $(VENV)/.run
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

setup: $(VENV)/.setup ## make a virtual environment with everything in it

run: $(VENV)/.run ## the main job: service, publisher, two receivers, live books (Ctrl-C drains)
	@$(BIN)/homing demo $(DEMO)

$(VENV)/.lab: pyproject.toml $(VENV)/.run
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[forensics]'
	@touch $@

lab: $(VENV)/.lab ## a service that loses webhooks: find it, reproduce it, fix it, price it
	@mkdir -p var
	@PATH="$(CURDIR)/$(BIN):$$PATH" homing lab --folder var/homing-lab $(LAB)

check: $(VENV)/.setup ## format, lint, types, unit, contract (memory, sqlite), house
	$(BIN)/ruff format --check src tests bench
	$(BIN)/ruff check src tests bench
	$(BIN)/mypy
	$(BIN)/pytest -q -m 'not slow and not postgres and not node and not netns and not explore and not log' -n 2 tests/unit tests/contract tests/house

test: $(VENV)/.setup ## everything this machine can run; says what it skipped
	@VENV=$(VENV) scripts/test

simulate: $(VENV)/.run ## 1,000 simulated worlds on all cores; SEED=7 for one
	@$(BIN)/homing simulate $(if $(SEED),--seed $(SEED),) $(SIMULATE)

bench: $(VENV)/.setup ## the performance promises, with numbers
	$(BIN)/python -m bench

chaos: $(VENV)/.setup ## break everything under load and count what arrives; needs root; 8 minutes
	@scripts/install-netns
	@scripts/install-postgres
	@mkdir -p var
	$(BIN)/python -m bench.chaos --duration 150 --rate 300 --seed $(or $(SEED),1) --plot var/chaos-postgres
	$(BIN)/python -m bench.chaos --duration 60 --rate 300 --seed $(or $(SEED),1) --store sqlite --plot var/chaos-sqlite

docs: $(VENV)/.setup ## refresh the generated parts of the documents
	$(BIN)/python -m homing.cli.reference docs/reference

screenshots: $(VENV)/.setup ## pictures of the pages, for the documents; needs Chromium
	@scripts/install-browser
	$(BIN)/python -m bench.showcase --pictures docs/pages --few

release: $(VENV)/.setup ## build what is published, from a clean tree
	@test -z "$$(git status --porcelain)" || { echo "commit first: the tree is not clean"; exit 1; }
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	@ls -l dist

clean: ## remove what was built; the demo's data in var/ stays
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
