# Everything a contributor types. `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --quiet --disable-pip-version-check install --no-compile

# A shell that forbids it would have each of a thousand worker processes compile Django anew.
export PYTHONDONTWRITEBYTECODE :=

# Labels and options for the suite: make test ARGS="--only sqlite tests.rooms -v 2"
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv newest demo run test screenshots stress bench messages lint format types layers migrations coverage check clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(VENV)/installed ## make .venv with everything that development needs

$(VENV)/installed: setup.cfg pyproject.toml
	@echo "Installing into $(VENV) (once) ..."
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed
	@echo "Installing what the benchmarks compare with ..."
	@$(PIP) --editable '.[bench]'
	@touch $@

# For the part of the suite that also runs with the newest Django, if there is a Python for that.
newest: $(VENV)-newest/tried

$(VENV)-newest/tried: setup.cfg $(VENV)/installed
	@$(PY) -m tests.newest
	@mkdir -p $(@D)
	@touch $@

# Whatever the shell's own project is.
demo run migrations: export DJANGO_SETTINGS_MODULE = example_project.settings

demo: venv ## show durable workflows surviving a killed worker, in a terminal
	@$(PY) manage.py demo

run: venv ## run the example project: web server, worker and admin
	@$(PY) manage.py rundemo

test: venv newest ## run the suite on SQLite and PostgreSQL (ARGS="--only sqlite tests.rooms")
	@$(PY) -m tests.run $(ARGS)

screenshots: venv ## draw the pictures of the documentation anew, in Chromium
	@$(PY) -m tests.run --only sqlite tests.browser.pictures

stress: venv ## kill, freeze and cut off workers for a while, then look for lost or doubled work
	@$(PY) -m tests.stress $(ARGS)

bench: $(VENV)/installed-bench ## measure side by side with peers
	@$(PY) -m benchmarks $(ARGS)

messages: venv ## extract the texts for translation, compile, list what is missing (needs GNU gettext)
	@$(PY) -m tests.messages

lint: venv ## look for style errors and unformatted files
	@$(PY) -m ruff check --quiet .
	@$(PY) -m ruff format --quiet --check .

format: venv ## format the code and mend what can be mended
	@$(PY) -m ruff check --quiet --fix-only .
	@$(PY) -m ruff format --quiet .

types: venv ## check the types
	@$(PY) -m mypy

layers: venv ## check that imports point downward, and the other rules of the house
	@DJANGO_SETTINGS_MODULE=tests.settings $(PY) -m unittest --quiet tests.test_architecture

migrations: venv ## check that no migration is missing
	@$(PY) manage.py makemigrations --check --dry-run

coverage: venv ## run the suite and list the lines it did not reach
	@$(PY) -m coverage erase
	@$(PY) -m coverage run -m tests.run --newest no $(ARGS)
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report

check: lint types layers migrations test ## everything that must be green before a commit

clean: ## remove .venv, caches and built files
	rm -rf $(VENV) $(VENV)-newest .cache build dist *.egg-info .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
