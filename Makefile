# Two commands do everything on a fresh machine: make demo, make test.
PYTHON ?= python3
BIN := .venv/bin
FLEETSLO := $(BIN)/fleetslo

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-bigquery lab report test test-all covered check bench real loopback airflow lock

help: ## say what each target does
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

# The lock is complete, so pip resolves nothing: a release of tomorrow cannot change what is installed.
setup: .venv/installed ## make .venv with everything pinned
.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## make the demo fleet, run every report, build the site
	$(FLEETSLO) demo --size small
	$(FLEETSLO) run

demo-bigquery: setup loopback ## do the same in a BigQuery server on this machine, and compare every page
	$(BIN)/python -m tests.demo_bigquery $(SIZE)

lab: setup ## open the notebooks in JupyterLab
	@$(BIN)/jupyter labextension disable --level=sys_prefix "@jupyterlab/apputils-extension:announcements" 2>/dev/null
	$(BIN)/jupyter lab --notebook-dir=notebooks --LabApp.default_url=/lab/tree/explore/explore_latency.ipynb $(LAB)

report: setup ## run one report: make report NOTEBOOK=service_slo ARGS="-p service=checkout"
	$(FLEETSLO) report $(NOTEBOOK) $(ARGS)

test: setup ## run the tests that take minutes, then hold the coverage
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not long" --cov --cov-report=
	@$(MAKE) --no-print-directory covered

test-all: setup ## run every test, then hold the coverage
	$(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report=
	@$(MAKE) --no-print-directory covered

STRICT := lib/fleetslo/reliability/*,lib/fleetslo/warehouse/*
covered: ## hold the coverage of the last test run: 95 % where the numbers are made, 85 % elsewhere
	@printf 'coverage of reliability and warehouse, in %%: '
	@$(BIN)/coverage report --format=total --fail-under=95 --include="$(STRICT)"
	@printf 'coverage of everything else, in %%: '
	@$(BIN)/coverage report --format=total --fail-under=85 --omit="$(STRICT)"

check: setup ## lint, types, SQL layout, SQL against the contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --disable-progress-bar queries
	$(BIN)/python -m tests.queries.analyse

bench: setup ## measure the figures, each as a ratio against a named peer
	$(BIN)/python -m tests.bench

real: setup ## load the real data sets beside the project and report on them
	$(BIN)/python -m tests.real

# DuckDB keeps its extensions under HOME, so a HOME of its own leaves the user's alone.
loopback: .fleetslo/loopback/installed ## make the BigQuery server on loopback that tests ask
.fleetslo/loopback/installed: loopback.lock
	$(PYTHON) -m venv .fleetslo/loopback
	.fleetslo/loopback/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r loopback.lock
	HOME=$(CURDIR)/.fleetslo/loopback .fleetslo/loopback/bin/python -c \
	  "from duckdb_extensions import import_extension; import_extension('spatial')"
	@touch $@

# Airflow has pins of its own, so it has an environment of its own.
airflow: .fleetslo/airflow/installed ## make the Airflow that a test of 'schedule export' runs
.fleetslo/airflow/installed:
	$(PYTHON) -m venv .fleetslo/airflow
	.fleetslo/airflow/bin/pip install --quiet --disable-pip-version-check apache-airflow==3.3.2
	@touch $@

# requirements.lock is everything; the other two are the parts of it that an image needs.
PIN = uv pip compile pyproject.toml --generate-hashes --no-emit-index-url --no-header \
  --python-version 3.11 --universal
lock: ## pin the dependencies again (needs uv)
	$(PIN) --group dev -o requirements.lock
	$(PIN) --no-annotate --constraint requirements.lock -o runtime.lock
	uv pip compile --group build --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --universal --no-annotate --constraint requirements.lock -o build.lock
