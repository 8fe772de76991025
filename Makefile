.DEFAULT_GOAL := help
PORT ?= 8000
DATA ?= data
PYTHON ?= python3
BIN := .venv/bin
# Two workers on two cores; a test run needs nothing of what a person installed by hand.
TESTS := $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: help run test test-full bench lint lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: .venv/run ## Start the demo: make run PORT=8123 DATA=/some/folder
	@exec $(BIN)/python -m api.serve --port $(PORT) --data "$(DATA)"

test: .venv/dev lint ## Set up everything and run all tests
	$(TESTS) -m "not full"

test-full: .venv/dev lint ## The tests with their long rounds
	$(TESTS)

bench: .venv/dev ## Figures of delivery on both databases, some minutes
	@PYTHONPATH=.:tests $(BIN)/python -m benchmarks.delivery

lint: .venv/dev ## Style, types, and the stair
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: .venv/dev ## Write the requirements files anew from their .in files
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links requirements.in -o requirements.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links requirements-fleet.in -o requirements-fleet.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links requirements-dev.in -o requirements-dev.txt

clean: ## Remove the environment and the demo's data
	rm -rf .venv data

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/run: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/dev: requirements-dev.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ .venv/run
