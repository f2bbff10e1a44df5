# The same commands by hand and in CI. Needs python3 (3.11 or newer), make and git; everything else comes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

SOURCES := otelq otelq_redis otelq_nats otelq_verify tests scripts $(wildcard examples benchmarks)

# The version is pinned; asking whether there is a newer one only costs a request.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DELETE_ON_ERROR:
.PHONY: help setup demo test newest lowest verify torture mutants check docs format bench pins clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /\1 - /p' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with the project and all its tools

$(STAMP): requirements-dev.txt pyproject.toml scripts/check_python.py
	@$(PYTHON) scripts/check_python.py
	@echo "Making $(VENV); this takes about a minute."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## run an order workflow on SQLite and show its trace
	@$(BIN)/otelq demo

test: $(STAMP) ## run the tests, several at a time; one by one with ARGS=-n0
	@$(BIN)/pytest --numprocesses=auto --dist=worksteal $(ARGS)

newest: $(STAMP) ## test the built wheel on the newest Python of this machine
	@$(BIN)/python scripts/installed.py newest

lowest: $(STAMP) ## test the built wheel with the oldest dependencies that are allowed
	@$(BIN)/python scripts/installed.py lowest

# The one place that uses a server from Debian's packages.
DEBIAN_POSTGRES := /usr/lib/postgresql/15/bin/postgres

verify: $(STAMP) ## everything that takes long: all versions, drivers and mutants, and minutes of faults; an hour
	@test -x $(DEBIAN_POSTGRES) || { echo "verify: PostgreSQL 15 is missing: apt install postgresql-15" >&2; exit 2; }
	@OTELQ_TEST_POSTGRES_15=debian CI=true $(MAKE) test ARGS=--verify
	@$(MAKE) mutants newest lowest
	@$(MAKE) torture POSTGRES_SECONDS=300 SQLITE_SECONDS=300

# SEED repeats the faults and inputs of an earlier run; PACE is seconds between two faults.
PACE ?= 4
POSTGRES_SECONDS ?= 1200
SQLITE_SECONDS ?= 600
TORTURE := $(BIN)/python -m tests.torture $(if $(SEED),--seed $(SEED)) --pace $(PACE)

torture: $(STAMP) ## break processes, network, server and disk for half an hour, and judge what was left
	@$(TORTURE) --backend postgres18 --seconds $(POSTGRES_SECONDS) --out build/torture-postgres18.json
	@$(TORTURE) --backend sqlite --seconds $(SQLITE_SECONDS) --out build/torture-sqlite.json

mutants: $(STAMP) ## break each rule in a copy and see its test fail; a few minutes
	@$(BIN)/python -m tests.mutants

check: $(STAMP) docs ## format, lint, types, layers and documentation
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy $(SOURCES)
	$(BIN)/pyright $(SOURCES)
	$(BIN)/lint-imports

# The pages, and what they link to, under the names that they have here. Zensical colours every letter of a warning.
PAGES := README.md CHANGELOG.md CONTRIBUTING.md LICENSE compose.yaml collector-config.yaml docs examples

docs: $(STAMP) ## build the pages of docs/ into build/docs/site; broken links are errors
	@rm -rf build/docs
	@mkdir -p build/docs/source
	@cp -R $(PAGES) build/docs/source
	@mv build/docs/source/docs/zensical.toml build/docs
	@$(BIN)/zensical build --strict --config-file build/docs/zensical.toml >build/docs/log 2>&1 \
		|| { sed 's/\x1b\[[0-9;]*m//g' build/docs/log >&2; exit 1; }

format: $(STAMP) ## format the code and apply the safe fixes
	@$(BIN)/ruff check --fix-only $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

bench: $(STAMP) ## measure; prints figures, asserts nothing
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.wakeups

pins: $(STAMP) ## resolve requirements-dev.txt anew
	@$(PYTHON) -m venv build/pins
	@build/pins/bin/python -m pip --disable-pip-version-check --quiet install uv
	@build/pins/bin/uv pip compile pyproject.toml --group dev --group docs --all-extras --universal --python-version 3.11 \
		--upgrade --generate-hashes --no-annotate --no-emit-index-url --custom-compile-command "make pins" \
		--quiet --output-file requirements-dev.txt
	@$(PYTHON) scripts/lowest.py > build/lowest.txt
	@build/pins/bin/uv pip compile pyproject.toml --group dev --all-extras --python-version 3.11 \
		--upgrade --generate-hashes --no-annotate --no-emit-index-url --custom-compile-command "make pins" \
		--constraint build/lowest.txt --quiet --output-file requirements-lowest.txt

clean: ## remove everything that make made
	@rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
