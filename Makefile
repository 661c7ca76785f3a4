# make demo    the main job on a simulated recording, in its own environment; the report lands in demo-out/
# make test    all tests; set KINEBIND_DATA to the folder with the unpacked data sets to run those on real data
# make lint    ruff and mypy
# make docs    the documentation, into site/
# make bench   the benchmarks, into results/ and the README; needs KINEBIND_DATA

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=

# Several processes run side by side; threads inside each would only fight over the cores.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: demo test lint docs bench
.DELETE_ON_ERROR:

demo: $(VENV)/dev.stamp
	$(BIN)/kinebind demo --out demo-out

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: $(VENV)/docs.stamp
	$(BIN)/mkdocs build --strict

bench: $(VENV)/dev.stamp
	$(BIN)/kinebind bench sync
	$(BIN)/kinebind bench simulate
	$(BIN)/python docs/_hooks/figures.py

$(VENV)/dev.stamp: pyproject.toml constraints-cpu.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints-cpu.txt -e '.[dev]'
	touch $@

$(VENV)/docs.stamp: $(VENV)/dev.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints-cpu.txt -e '.[docs]'
	touch $@
