# Two commands for a newcomer: `make demo` and `make test`. Each builds what it needs.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(abspath $(VENV))/bin
PIP     = $(BIN)/python -m pip

.PHONY: demo demo-short test coverage torture check format man docs package clean

demo: $(VENV)/.ready
	$(BIN)/wss demo -o build/demo
	$(MAKE) -C examples/demo WSS="$(BIN)/wss"

# The same with a few small steps: shows that all runs, not what it is worth.
demo-short: $(VENV)/.ready
	$(MAKE) -C examples/demo WSS="$(BIN)/wss" OUT=out/short TRAIN=6 VAL=4 ITERATIONS=4

# The tests but those marked slow and the faults at random moments; PYTEST="-n auto" runs all.
PYTEST ?= -n auto -m "not slow and not torture"

test: $(VENV)/.ready-test
	$(BIN)/python -m pytest $(PYTEST)

# Which lines all tests run; it takes longer than the tests alone.
coverage: $(VENV)/.ready-test
	$(BIN)/python -m pytest -n auto --cov=wsstools --cov-report=term:skip-covered

# Every fault on every command that often, at other moments each time; a table at the end.
TRIES ?= 10

torture: $(VENV)/.ready-test
	WSS_TORTURE=$(TRIES) $(BIN)/python -m pytest tests/torture -q

check: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.ready-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

man: $(VENV)/.ready
	$(BIN)/python tools/manual.py

# The documentation as a site, in build/docs/.
docs: $(VENV)/.ready-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

# Wheel and source distribution in dist/, tried out.
package: $(VENV)/.ready-test
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist
	$(BIN)/python -m pytest tests/project/test_package.py

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.ready-test: $(VENV)/.ready
	$(PIP) install --quiet --constraint constraints.txt --editable '.[test,dask]'
	touch $@

$(VENV)/.ready-docs: $(VENV)/.ready
	$(PIP) install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) build examples/*/out
