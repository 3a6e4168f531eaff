# `make demo` and `make test` do all set-up by themselves, in .venv.
PYTHON ?= python3
BIN := .venv/bin
THREADS ?= 1

.PHONY: demo test check setup clean

setup: .venv/ready

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch .venv/ready

demo: .venv/ready
	$(BIN)/linnet demo --out runs/demo

# Two workers, one thread each: two busy processes on two cores slow small models many times over.
test: .venv/ready
	OMP_NUM_THREADS=$(THREADS) $(BIN)/python -m pytest -n 2 --dist worksteal

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv runs
