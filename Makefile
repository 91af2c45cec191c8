# Everything runs from .venv; nothing here needs root, Docker or a running server.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENVIRONMENTS := $(patsubst tests/e2e/environments/%.txt,$(VENV)/environments/%/.made,$(wildcard tests/e2e/environments/*.txt)) \
  $(if $(shell command -v npm),$(VENV)/environments/node/.made)
LOCK := uv pip compile -q --universal --generate-hashes --no-strip-extras --no-emit-index-url --no-header --python-version 3.11

.PHONY: help demo up check test test-all pictures mutants chaos bench simulate lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/.runtime: requirements.txt requirements-build.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

$(VENV)/environments/%/.made: tests/e2e/environments/%.txt
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

$(VENV)/environments/node/.made: tests/e2e/node/package.json tests/e2e/node/package-lock.json
	mkdir -p $(@D)
	cp $^ $(@D)
	npm ci --prefix $(@D) --silent --ignore-scripts --no-audit --no-fund --engine-strict=false
	touch $@

demo: $(VENV)/.runtime  ## 200 prompts through a misbehaving provider, to results.jsonl
	$(BIN)/hivebatch demo examples/prompts.jsonl --output results.jsonl

up: $(VENV)/.runtime  ## the service with its sandbox, until Ctrl-C; V3=1: as V3 too
	$(BIN)/hivebatch up --sandbox $(if $(V3),--v3)

check: $(VENV)/.dev  ## ruff, mypy, import contracts, dependencies, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry .
	$(BIN)/hivebatch db check

test: $(VENV)/.dev  ## the tests, on SQLite and on PostgreSQL
	$(BIN)/pytest -n 2 --cov --cov-report=term:skip-covered

test-all: $(VENV)/.dev $(ENVIRONMENTS)  ## what is slow: the mutants, the Procfile under faults, the page in a browser, the wheel, the SDKs, chaos
	$(BIN)/pytest -n 2 -m slow
	$(BIN)/python -m tests.chaos

mutants: $(VENV)/.dev  ## plant each known fault in a copy; the suite has to find it
	$(BIN)/pytest -m slow tests/mutants

pictures: $(VENV)/.dev  ## take those of the README again (needs Chromium)
	PICTURES=docs/pictures $(BIN)/pytest -m slow tests/browser/test_pictures.py

simulate: $(VENV)/.dev  ## SEEDS=2000 histories by seed; SEED=123 shows that one, step by step
	$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),2000) --first $(or $(FIRST),0))

chaos: $(VENV)/.dev  ## a few minutes of kills, dead servers and cut connections, on both databases
	$(BIN)/python -m tests.chaos

bench: $(VENV)/.dev  ## ours beside the obvious design, three rounds; writes bench.json and docs/bench.svg
	$(BIN)/python -m tests.bench --json bench.json --svg docs/bench.svg

lock:  ## make the requirements files again from the ranges in pyproject.toml (needs uv and npm)
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt
	$(LOCK) --group fast -c requirements-dev.txt -o requirements-fast.txt
	$(LOCK) --group build -c requirements-dev.txt -o requirements-build.txt
	npm update --prefix tests/e2e/node --silent --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved
	for name in openai-1 openai-2 openai-3 schemathesis; do $(LOCK) --group $$name -o tests/e2e/environments/$$name.txt || exit; done

clean:  ## remove the environment and the caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .coverage* build dist
