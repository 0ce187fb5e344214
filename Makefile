# Each target sets itself up: a machine with Python >= 3.11 is all it needs.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
JOBS := $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 4 ? n : 4)))

.PHONY: demo test lint types clean

demo: $(VENV)/run.stamp
	@out=runs/demo-$$(date +%Y%m%d-%H%M%S); \
	$(BIN)/python -m mgdm_jax.run --config configs/mri_brats.py:demo --workdir $$out \
	&& echo "Look at $$out/panel.png"

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest -q -n $(JOBS)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/pyright --pythonpath $(BIN)/python

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { \
	echo "Python 3.11 or newer is needed; name yours with make PYTHON=..."; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@

$(VENV)/test.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e ".[test]"
	@touch $@

$(VENV)/dev.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e ".[dev]"
	@touch $@
