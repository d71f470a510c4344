# `make run` and `make test` need Python 3.11 or later, and set up everything else.
PYTHON ?= python3
VENV ?= .venv
PATHS ?= examples/small_mod
TESTS ?=
SELECT ?= not thorough
IN_VENV = $(VENV)/bin/

.PHONY: run test test-all lint docs man clean

run: $(VENV)/.ready
	$(IN_VENV)ck3parse run $(PATHS)

# Most tests wait, so there are more processes than cores. Tests of one file share servers and workers
# and stay in one process.
test: $(VENV)/.ready
	$(IN_VENV)python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder \
		-m "$(SELECT) and not soak and not docker" $(TESTS)

# Also rare faults and setups, and the further cases of each test.
test-all:
	$(MAKE) test SELECT="not soak"

lint: $(VENV)/.ready
	$(IN_VENV)ruff check
	$(IN_VENV)ruff format --check
	$(IN_VENV)mypy
	$(IN_VENV)lint-imports --no-cache

# Warnings are errors; mkdocs.yml says so.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(IN_VENV)mkdocs build --strict

# `man -l build/man/ck3parse.1` shows it.
man: $(VENV)/.ready
	$(IN_VENV)python docs/make_man.py build/man/ck3parse.1

# A native parser that is built already stays.
$(VENV)/.docs: $(VENV)/.ready
	CK3PARSE_NATIVE=0 $(IN_VENV)python -m pip install --quiet --editable '.[docs]'
	touch $@

$(VENV)/.ready: pyproject.toml setup.py
	@echo "Making $(VENV) and installing ck3parse into it, once. This takes a minute or two:"
	@echo "  1. a virtual environment"
	$(PYTHON) -m venv $(VENV)
	$(IN_VENV)python -m pip install --quiet --upgrade pip
	@echo "  2. the packages that it and its tests need; with cargo, also the native parser"
	$(IN_VENV)python -m pip install --quiet --editable '.[test,lint]'
	touch $@

clean:
	rm -rf $(VENV) build
