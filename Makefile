# Two commands do everything on a fresh machine with Python 3.11+ and make:
#   make report   the lecture's paper          make test   every check
PYTHON ?= python3
CORES ?= all
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: report smoke test lint types unit study docs lock clean help

report: $(VENV)/ready ## the lecture's paper, in results/lecture/report/
	snakemake --cores $(CORES)
	@echo "The paper is at results/lecture/report/report.html, and report.pdf beside it"

smoke: $(VENV)/ready ## the same paper in a minute, in results/smoke/report/
	snakemake --cores $(CORES) --configfile config/smoke.yaml
	@echo "The paper is at results/smoke/report/report.html, and report.pdf beside it"

test: lint types unit study ## lint, types, unit tests, the smoke study end to end

lint: $(VENV)/ready
	ruff check
	ruff format --check

types: $(VENV)/ready
	mypy

unit: $(VENV)/ready
	pytest -m "not study"

study: $(VENV)/ready
	pytest -m study

docs: $(VENV)/ready ## the project's site, in site/, with the lecture's report where there is one
	sphinx-build -W --keep-going -q -b html docs site
	@echo "The site is at site/index.html"

$(VENV)/ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "takeoff needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

lock: ## renew requirements.txt (needs uv on the path)
	./requirements.sh

clean: ## remove results (finished cells and downloads too)
	rm -rf results site .snakemake

help:
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'
