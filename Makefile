# One command runs it: `make run`. Python 3.11 with venv and pip is all it needs.
PORT ?= 8000
DATA_DIR ?= ./data
export PORT DATA_DIR

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install peers packages packages-if-possible run serve test rehearse coverage check audit hooks lock format bench soak

help:
	@echo "make run      install, start the service, back up and restore something as a proof"
	@echo "              (PORT=8000 DATA_DIR=./data SOURCE=what to back up ONCE=1 to stop after it)"
	@echo "make serve    install and start the service, without the demonstration"
	@echo "make install  only install, into .venv"
	@echo "make test     all tests, on SQLite and PostgreSQL, with stock restic and a browser"
	@echo "              (STAGES=\"unit agent\" for some: postgres postgres-pages journeys interop"
	@echo "              unit browser interop-newest agent hardship; three at a time, JOBS=1 one by"
	@echo "              one; TMPDIR=folder for temporary files, else in memory with 8 GB free)"
	@echo "make rehearse whole operations beside them: the life of a region, upgrades from older builds,"
	@echo "              the set-up for production, the runbook; and restic 0.18 where it differs"
	@echo "make packages make the agent's packages, which the download page hands out, in packages/"
	@echo "make peers    unpack today's restic and rest-server into .peers, for tests and benchmarks"
	@echo "make bench    measure beside stock restic and Borg, write docs/benchmarks.md (half an hour)"
	@echo "              (BENCH=\"--quick\" for a glimpse; BENCH_DIR=scratch folder of 12 GB)"
	@echo "make soak     kill backups and prunes 200 times each, and 300 workers while they copy;"
	@echo "              fail and kill at every call of the storage; upload and purge in every"
	@echo "              order; back up 200 times what comes, goes and fails (SEED=number;"
	@echo "              SOAK=\"kill workers points orders steady\" for some)"
	@echo "make coverage run the stages unit and agent, and say which branches they take (STAGES=all"
	@echo "              runs all of them beside); write docs/coverage.md and raise the floor"
	@echo "make check    formatting, types, sizes, spelling, layering, settings, migrations"
	@echo "make audit    ask what is known against the libraries (needs pip-audit and its feed)"
	@echo "make hooks    run what is quick of make check before every commit, on what it changes"
	@echo "make format   put the code into its one form"
	@echo "make lock     write requirements/ anew (needs uv)"

install: $(STAMP)

# Anew when a lock or the agent's packaging has changed; the old environment is kept for pip.
$(STAMP): requirements/all.txt agent/pyproject.toml agent/setup.py $(wildcard agent/csrc/*.c agent/csrc/include/*.h) \
		native/pyproject.toml native/setup.py native/src/nightsafe_native/_sha256_mb.c
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here." \
		"Nightsafe needs Python 3.11 or newer: install it, or name it, PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Nightsafe needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
		"Name another one: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) lacks venv or pip. On Debian and Ubuntu: apt install python3-venv"; \
		exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing into $(VENV) (the first time, about half a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input \
		--require-hashes -r requirements/all.txt
	@$(BIN)/python -m pip uninstall --quiet --quiet --yes nightsafe-lanes  # native, as it was called
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input \
		--no-deps --no-build-isolation --editable agent --editable native
	@touch $(STAMP)

# What the download page hands out. Without it the service runs, and the page says so.
PACKAGES := packages/packages.json

packages: $(PACKAGES)

$(PACKAGES): $(STAMP) requirements/agent.txt requirements/installers.txt $(shell find agent/src -name '*.py')
	@echo "Making the agent's packages (about half a minute) ..."
	@$(BIN)/python -m backup_service.agent_packages

packages-if-possible: install
	@$(MAKE) --no-print-directory packages || echo "Going on without them."

run: packages-if-possible
	@exec $(BIN)/python -m backup_service.embedded run

serve: packages-if-possible
	@exec $(BIN)/python -m backup_service.embedded serve

test: install peers packages-if-possible
	@$(BIN)/python -m tools.test $(STAGES)

rehearse: install peers packages-if-possible
	@$(BIN)/python -m tools.test rehearsals interop-0.18

peers: install
	@$(BIN)/python -m tests.support.peers

bench: install peers
	@$(BIN)/python -m bench $(or $(BENCH),--write)

soak: install
	@for one in $(or $(SOAK),kill workers points orders steady); do \
		$(BIN)/python -m tests.soak.$$one $(if $(SEED),--seed $(SEED)) || exit 1; done

hooks: install
	@$(BIN)/pre-commit install

coverage: install peers
	@$(BIN)/python -m tools.coverage $(STAGES)

audit: install
	@$(BIN)/python -m tools.audit

check: install
	@$(BIN)/python -m tools.check

format: install
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .
	@$(BIN)/djlint --quiet --reformat templates

# They agree in versions: the smaller ones are held to the whole one. The last one is what pip and
# pipx ask an index for besides: themselves, and what builds the agent from source.
LOCK := uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

lock:
	@$(LOCK) --extra embedded --extra sentry --extra dev pyproject.toml agent/pyproject.toml -o requirements/all.txt
	@$(LOCK) --extra embedded --extra sentry pyproject.toml --constraints requirements/all.txt -o requirements/server.txt
	@$(LOCK) agent/pyproject.toml --constraints requirements/all.txt -o requirements/agent.txt
	@printf 'pip\nsetuptools>=77\n' | \
		$(LOCK) - --constraints requirements/all.txt -o requirements/installers.txt
