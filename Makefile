# Every target makes what it needs: a virtual environment in .venv with hash-pinned packages and the three
# distributions of this repository, installed editable.
# A bare machine with Python 3.11 or newer and make is enough; another interpreter: make PYTHON=python3.13 test
# What follows the command goes in ARGS: make demo ARGS=--exit, make test ARGS="tests/policy -x"

PYTHON ?= python3
ARGS ?=

VENV := .venv
PY := $(VENV)/bin/python
# Only errors are printed: a run that succeeds says nothing about its installation.
PIP := $(PY) -m pip -qq --disable-pip-version-check install
TYPED := $(wildcard schemas/src client_sdk/src server/src tests examples benchmarks)
PROJECTS := schemas/pyproject.toml client_sdk/pyproject.toml server/pyproject.toml

# The stamps carry the folder's name, because a copied .venv would still import the sources that it was made for.
HERE := $(subst /,_,$(CURDIR))
MADE := $(VENV)/.made-$(HERE)
RUN := $(VENV)/.run-$(HERE)
TEST := $(VENV)/.test-$(HERE)
DEV := $(VENV)/.dev-$(HERE)

# One resolution (dev.txt) that the other files are cut from, so that all of them agree.
COMPILE = $(PY) -m uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-header \
	--no-emit-package sluss-schemas --no-emit-package sluss-client --no-emit-package sluss-server

.PHONY: help demo test browser check soak bench pictures requirements clean

help:
	@echo "make demo          one night at the square, on a real server (ARGS=--exit ends by itself)"
	@echo "make test          every test that needs nothing installed"
	@echo "make browser       install Chromium if there is none (Debian, as root); make test does it"
	@echo "make check         ruff, mypy and the import contract"
	@echo "make soak          the long tests"
	@echo "make bench         the workloads, each beside a limit taken in the same run"
	@echo "make pictures      the README's pictures, of the demo's town"
	@echo "make requirements  pin the requirements again (ARGS=--upgrade for newer versions)"
	@echo "make clean         remove the environment and every cache"

demo: $(RUN)
	@$(PY) examples/one_night_at_the_square.py $(ARGS)

test: $(TEST) browser
	@$(PY) -m pytest -n 2 --dist loadfile $(ARGS)

# Without one, the tests of pages skip.
browser:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	{ [ "$$(id -u)" = 0 ] && { apt-get update && apt-get install -y --no-install-recommends chromium; } >/dev/null 2>&1; } || \
		echo "no Chromium: the tests of pages skip; install it: apt-get install chromium" >&2

soak: $(TEST) browser
	@$(PY) -m pytest -m soak --hypothesis-profile=soak $(ARGS)

check: $(DEV)
	@$(PY) -m ruff check --quiet .
	@$(PY) -m ruff format --quiet --check . || { echo "not formatted; run: $(PY) -m ruff format ." >&2; exit 1; }
	@$(PY) -m mypy --no-error-summary $(TYPED)
	@$(VENV)/bin/lint-imports --no-cache > $(VENV)/lint-imports.log || { cat $(VENV)/lint-imports.log; exit 1; }

pictures: $(TEST) browser
	@$(PY) -m tests.web.pictures

bench: $(RUN)
	@$(PY) -m benchmarks $(ARGS)

requirements: $(DEV)
	@$(COMPILE) $(ARGS) requirements/dev.in -o requirements/dev.txt
	@for part in build server client test; do \
		$(COMPILE) $(ARGS) --no-annotate -c requirements/dev.txt requirements/$$part.in -o requirements/$$part.txt || exit 1; \
	done

clean:
	@rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	@find schemas client_sdk server tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Sluss needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) -V 2>&1 || true)." >&2; \
		echo "Name another one: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(RUN): $(MADE) $(PROJECTS) requirements/build.txt requirements/server.txt requirements/client.txt
	@echo "installing what it runs on (once) ..." >&2
	@$(PIP) --require-hashes -r requirements/build.txt -r requirements/server.txt -r requirements/client.txt
	@$(PIP) --no-deps --no-build-isolation -e ./schemas -e ./client_sdk -e ./server
	@touch $@

$(TEST): $(RUN) requirements/test.txt
	@echo "installing the test tools (once) ..." >&2
	@$(PIP) --require-hashes -r requirements/test.txt
	@touch $@

$(DEV): $(TEST) requirements/dev.txt
	@echo "installing the checkers (once) ..." >&2
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@
