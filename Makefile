# Needs Python 3.11 to 3.13 and make; everything else is installed into .venv.
PYTHON ?= python3
TEST_WORKERS ?= 2
BIN := .venv/bin
UV := $(BIN)/python -m uv pip

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types imports bench lock clean

help: ## Show what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: .venv/demo ## Run the main job on samples/ and show what comes of it
	$(BIN)/voxlake demo

test: .venv/all ## Install everything, check the code and pass every test
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadgroup

check: lint types imports ## Style, types and the direction of imports

lint: .venv/all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/all
	$(BIN)/mypy

imports: .venv/all
	$(BIN)/lint-imports

bench: .venv/all ## Measure accuracy and speed into bench/, best on a quiet machine; most of an hour
	mkdir -p bench
	for name in "accuracy samples" "false_flags samples" "identity samples" word_confidence attribution linking rerun maintain export opinions decode workers \
			engines orchestration memory media_faults; do \
		$(BIN)/python -m benchmarks.$$name --json bench/$${name%% *}.json || exit 1; done

lock: .venv/uv ## Renew requirements.lock after a change of dependencies
	$(UV) compile --quiet --universal --python-version 3.11 --all-extras --group dev --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --upgrade --output-file requirements.lock pyproject.toml

clean: ## Remove what make made
	rm -rf .venv demo-lake bench build dist

.venv/uv:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.8"
	touch $@

.venv/demo: requirements.lock pyproject.toml | .venv/uv
	$(UV) install --quiet --constraint requirements.lock --editable ".[embedded]"
	touch $@

.venv/all: requirements.lock pyproject.toml | .venv/uv
	$(UV) install --quiet --requirement requirements.lock
	$(UV) install --quiet --no-deps --editable .
	touch $@ .venv/demo
