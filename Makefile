# `make render` and `make test` do all the set-up themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The tests that need neither the test host nor programs that pip does not install.
QUICK := -m "not host and not programs and not prove" --ignore tests/real --ignore tests/programs
EXAMPLES := $(patsubst %/inventory.yaml,%,$(wildcard examples/*/inventory.yaml))
WORKERS := -n auto --dist worksteal
# Each worker has a host of its own, and a file's tests stay on one host.
HOSTS := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: help render check lint verify test test-programs prove prove-long test-host prober-long audit-long install-long audit-record merge-long test-wheel test-pythons test-oldest snapshots format \
	figures docs schema bench clean

help:
	@echo "make render        render output/ from inventory.yaml: shows the diff, then writes; the examples too"
	@echo "make check         the same, but writes nothing; fails when output/ is out of date"
	@echo "make lint          check the inventory"
	@echo "make verify        check output/ with the real nginx, compose, systemd and ufw"
	@echo "make test          run the tests (about two minutes)"
	@echo "make test-programs run the tests with the real nginx, compose, systemd, ufw, chromium (root; some minutes)"
	@echo "make prove         ask copies of hosts, in namespaces, by packets who reaches what (root, Linux; eight minutes)"
	@echo "make prove-long    the same of 100 generated inventories, with 100 faults (an hour)"
	@echo "make test-host     boot two whole hosts from output/ and test on them (root, Linux; half an hour)"
	@echo "make prober-long   make 100 changes on that host while probers watch (SEED=, CHANGES=; half an hour)"
	@echo "make audit-long    audit that host 200 times, and with six faults at once (SEED=, ROUNDS=; an hour)"
	@echo "make install-long  kill installs on that host before, after and during each operation, and with reboots (two hours)"
	@echo "make audit-record  save that host's answers for the other tests, after an audit asks something new"
	@echo "make merge-long    merge 200 random pairs of branches with the real git (SEED=, PAIRS=; ten minutes)"
	@echo "make test-wheel    build the wheel, and run the tests against it in a new environment"
	@echo "make test-pythons  the same on Python 3.11, 3.12 and 3.13"
	@echo "make test-oldest   the same with the oldest dependencies that pyproject.toml allows"
	@echo "make snapshots     update the tests' snapshots; review their diff"
	@echo "make format        format and lint the code, check its types and its figures"
	@echo "make figures       print how dense the code is; fails where it is too dense"
	@echo "make docs          write the pages of commands, rules and findings, and the tables of docs/inventory.md, from the code"
	@echo "make schema        write both JSON Schemas from the code"
	@echo "make bench         compare the speed with a hand-written script's; time an audit, and the heaviest inventories"

# pip compiles every package but an editable one. Without compileall, where PYTHONDONTWRITEBYTECODE is set, portgen would be
# compiled at each start, which takes a quarter of the time of an unchanged check.
$(VENV)/.installed: pyproject.toml
	@sh tools/make-venv.sh $(PYTHON) $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable .
	@$(BIN)/python -m compileall -q portgen
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing the tests' tools into $(VENV)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[dev]'
	@touch $@

# Playwright drives Debian's chromium; it downloads no browser.
$(VENV)/.installed-browser: $(VENV)/.installed-dev
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[dev,browser]'
	@touch $@

render: $(VENV)/.installed
	@$(BIN)/portgen render
	@for example in $(EXAMPLES); do $(BIN)/portgen -C $$example render --yes --quiet || exit; done

check: $(VENV)/.installed
	@$(BIN)/portgen render --check
	@for example in $(EXAMPLES); do $(BIN)/portgen -C $$example render --check --quiet || exit; done

lint: $(VENV)/.installed
	@$(BIN)/portgen lint
	@for example in $(EXAMPLES); do $(BIN)/portgen -C $$example lint --strict --quiet || exit; done

verify: $(VENV)/.installed
	@$(BIN)/portgen verify
	@for example in $(EXAMPLES); do $(BIN)/portgen -C $$example verify --quiet || exit; done

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(WORKERS) $(QUICK) $(ARGS)

test-programs: $(VENV)/.installed-browser
	$(BIN)/python -m pytest -n 6 --dist worksteal -m programs --ignore tests/real $(ARGS)

# Each copy waits for packets that are dropped: two at once use two processors.
prove: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m prove tests/prove $(ARGS)

prove-long: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m prove tests/prove/long_prove.py $(ARGS)

test-host: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(HOSTS) -m host tests/real $(ARGS)

prober-long: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m host tests/real/long_prober.py $(ARGS)

audit-long: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m host tests/real/long_audit.py $(ARGS)

install-long: $(VENV)/.installed-dev
	PORTGEN_PAIRS=200 $(BIN)/python -m pytest -s tests/install/test_pairs.py tests/install/long_interrupted.py
	$(BIN)/python -m pytest -m host tests/real/long_install.py $(ARGS)

audit-record: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m host tests/real/save_record.py $(ARGS)

# Arguments for pytest: `make test-wheel ARGS=tests/plan`.
merge-long: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/commands/long_merges.py $(ARGS)

test-wheel: $(VENV)/.installed-dev
	$(BIN)/python tools/try_wheel.py $(ARGS)

test-pythons: $(VENV)/.installed-dev
	$(BIN)/python tools/try_wheel.py --python 3.11 --python 3.12 --python 3.13 $(ARGS)

test-oldest: $(VENV)/.installed-dev
	$(BIN)/python tools/try_wheel.py --oldest $(ARGS)

snapshots: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(QUICK) --snapshot-update -q || $(BIN)/python -m pytest $(QUICK) -q

format: $(VENV)/.installed-dev
	$(BIN)/ruff format portgen tests bench tools templates
	$(BIN)/ruff check --fix portgen tests bench tools templates
	$(BIN)/mypy
	$(BIN)/python tools/figures.py

figures: $(VENV)/.installed-dev
	$(BIN)/python tools/figures.py

docs: $(VENV)/.installed-dev
	@$(BIN)/python tools/make_docs.py

bench: $(VENV)/.installed-dev
	$(BIN)/python bench/compare.py
	$(BIN)/python bench/audit.py
	$(BIN)/python bench/heavy.py

schema: $(VENV)/.installed
	@$(BIN)/portgen schema > schema/inventory.schema.json
	@$(BIN)/portgen schema --records > schema/records.schema.json

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
