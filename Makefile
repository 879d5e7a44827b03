# make demo   sets up and runs the main job          make check  what must hold before a commit
# make test   sets up and runs the tests             make docs   writes docs/reference/ from the code
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-all check docs bench bench-accuracy clean
.DEFAULT_GOAL := demo

# Set up once, and again only when the pins or what is compiled change.
$(READY): constraints.txt pyproject.toml lstm_forecast/model/lstm_kernel.c lstm_forecast/data/cell_kernel.c
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed; got:'; $(PYTHON) --version; echo 'type: make PYTHON=python3.12'; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY)
	$(BIN)/lstm-forecast train configs/stock.yaml
	$(BIN)/lstm-forecast predict stock --output -
	$(BIN)/lstm-forecast plot stock
	@echo 'Everything is in runs/stock/: the network, its test predictions, the pictures.'

# One thread each: the tests' networks are tiny, and threads that wait for each other cost more than they give.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4

test: $(READY)
	$(PYTEST) -m 'not slow'

test-all: $(READY)
	$(PYTEST)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python docs/generate.py --check
	$(PYTEST) tests/contract

# DATA is the folder of the public files that benchmarks/accuracy/run.py names. The small ones are fetched, once.
SERIES := build/series
$(SERIES)/.ready: benchmarks/accuracy/fetch.py
	$(BIN)/python -m benchmarks.accuracy.fetch $(SERIES)
	@touch $@

bench-accuracy: $(READY) $(SERIES)/.ready
	$(BIN)/python -m benchmarks.accuracy.run $(DATA) --series $(SERIES)

# With peers, where benchmarks/speed/peers.sh has built them, and the M4 recipe, where DATA is given.
bench: $(READY)
	$(BIN)/python benchmarks/speed/run.py --save $(if $(DATA),--data $(DATA))

docs: $(READY)
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
