# `make render` and `make test` do all the set-up themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help render check lint test test-host prober-long snapshots format verify bench schema clean

help:
	@echo "make render      render output/ from inventory.yaml: shows the diff, then writes"
	@echo "make check       the same, writing nothing; fails when output/ is not current"
	@echo "make lint        check the inventory"
	@echo "make verify      put output/ before the real nginx, compose, systemd and ufw"
	@echo "make test        run the tests (about four minutes)"
	@echo "make test-host   bring up a whole host from output/ and test on it (root, Linux; a quarter of an hour)"
	@echo "make prober-long make 100 changes on that host while probers watch (SEED=, CHANGES=; half an hour)"
	@echo "make snapshots   update the tests' snapshots; review their diff"
	@echo "make format      format and lint the code, check its types"
	@echo "make schema      write the inventory's JSON Schema anew"
	@echo "make bench       measure against a hand-written script"

# portgen itself, compiled (pip compiles everything but an editable package, and where PYTHONDONTWRITEBYTECODE is set
# every start would compile it anew: a quarter of the time of an unchanged check); .installed also records which Python the environment was made with.
$(VENV)/.installed: pyproject.toml
	@sh tools/make-venv.sh $(PYTHON) $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@$(BIN)/python -m compileall -q portgen
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

render: $(VENV)/.installed
	@$(BIN)/portgen render

check: $(VENV)/.installed
	@$(BIN)/portgen render --check

lint: $(VENV)/.installed
	@$(BIN)/portgen lint

verify: $(VENV)/.installed
	@$(BIN)/portgen verify

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m "not host" $(ARGS)

test-host: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m host tests/real $(ARGS)

prober-long: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m host tests/real/long_prober.py $(ARGS)

snapshots: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m "not host" --snapshot-update -q || $(BIN)/python -m pytest -m "not host" -q

format: $(VENV)/.installed-dev
	$(BIN)/ruff format portgen tests bench tools templates
	$(BIN)/ruff check --fix portgen tests bench tools templates
	$(BIN)/mypy

bench: $(VENV)/.installed-dev
	$(BIN)/python bench/compare.py
	$(BIN)/python bench/heavy.py

schema: $(VENV)/.installed
	@$(BIN)/portgen schema > schema/inventory.schema.json

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
