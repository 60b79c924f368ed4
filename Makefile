# Everything runs in .venv, a virtual environment beside this file. PYTHON chooses the interpreter.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: digits test check benchmarks clean

digits: .venv/installed
	$(BIN)/striate train

test: .venv/tested
	$(BIN)/python -m pytest -q

check: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/tested: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt pytest ruff scipy hypothesis
	touch $@

clean:
	rm -rf .venv dist
