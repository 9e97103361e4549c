# RecPrism: demo serve test check bench docs. Needs only Python 3.11 to 3.13, make and a package index.

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check
TORCH = $(shell sed -n 's/.*"\(torch==[^"]*\)".*/\1/p' pyproject.toml)
TORCH_INDEX := https://download.pytorch.org/whl/cpu

.PHONY: demo serve test check bench docs

# Build, train and question the grocery project in demo/. A second run reuses what is there.
demo: $(VENV)/.stamp-demo
	@$(PYTHON) -m recprism.cli.demo demo

# Answer over HTTP from the demo, which is built first where it is not there yet. PORT=8000
serve: $(VENV)/.stamp-demo demo/.recprism/artifacts/current
	@$(VENV)/bin/recprism serve demo $(if $(PORT),--port $(PORT))

demo/.recprism/artifacts/current:
	@$(MAKE) --no-print-directory demo

# The whole test suite.
test: $(VENV)/.stamp-dev
	$(PYTHON) -m pytest -q

# Formatting, lint, types, layers, and whether the generated pages are up to date.
check: $(VENV)/.stamp-dev
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(PYTHON) -m recprism.project.reference --check
	$(PYTHON) -m recprism.cli.reference --check

# Quality, speed and memory by the protocols of the documentation, part after part. DATA=FOLDER
# adds the public sets that lie there, PEERS=1 recommenders of others, QUICK=1 makes it a smoke run,
# ONLY="NAME ..." takes some parts.
bench: $(VENV)/.stamp-dev
	@$(PYTHON) -m benchmarks.everything $(if $(DATA),--data '$(DATA)') \
		$(if $(filter-out 0,$(PEERS)),--peers) $(if $(filter-out 0,$(QUICK)),--quick) \
		$(if $(ONLY),--only $(ONLY))

# Write the generated pages anew.
docs: $(VENV)/.stamp-dev
	$(PYTHON) -m recprism.project.reference
	$(PYTHON) -m recprism.cli.reference
	$(PYTHON) -m recprism.serve.reference

$(VENV)/.stamp-demo: $(VENV)/.stamp-torch pyproject.toml
	$(PIP) install --quiet --editable '.[train,demo]'
	@touch $@

$(VENV)/.stamp-dev: $(VENV)/.stamp-torch pyproject.toml
	$(PIP) install --quiet --editable '.[all,dev]'
	@touch $@

# torch first, from PyTorch's own index of CPU builds where it answers: elsewhere the default index
# may bring a GPU build of some gigabytes.
$(VENV)/.stamp-torch: $(VENV)/.stamp-python pyproject.toml
	@if $(PYTHON) -c 'import urllib.request as r; r.urlopen("$(TORCH_INDEX)/torch/", timeout=3)' \
		2>/dev/null && $(PIP) --timeout 15 --retries 0 install --quiet \
		--extra-index-url $(TORCH_INDEX) '$(TORCH)'; \
	then :; else $(PIP) install --quiet '$(TORCH)'; fi
	@touch $@

# The first Python that runs (a shim of a version manager may be there and fail), fits, and can
# make a virtual environment.
$(VENV)/.stamp-python:
	@for python in python3.11 python3.12 python3.13 python3; do \
		if $$python -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
			>/dev/null 2>&1; \
		then echo "making $(VENV) with $$python"; \
			$$python -m venv $(VENV) && touch $@ && exit 0; exit 1; \
		fi; \
	done; \
	echo 'No Python 3.11, 3.12 or 3.13 with the module venv was found (Debian: python3-venv).' >&2; \
	exit 1
