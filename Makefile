# Needs make and Python 3.11 or newer; the first command that needs more sets it up.

PYTHON := .venv/bin/python
TESTS := $(PYTHON) -m pytest --numprocesses auto --dist loadgroup --no-loadscope-reorder

# If this is set, a skipped test fails the run.
CI ?=
# make test only="database=postgresql"
only :=
# make bench engine=postgresql
engine := sqlite
# make demo port=8000
port := 5000

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast check mutants rule-mutants bench pictures matrix servers mariadb redis pgbouncer rabbitmq newer builders browser

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 20

demo: .venv/ready ## generate a service with the defaults into build/demo and run it
	@tools/demo.sh build/demo "$(port)"

test: .venv/ready servers builders browser ## prove every variant, or some: only="database=postgresql"
	@$(TESTS) --quiet --progress $(if $(CI),--no-skips) --only "$(only)"

test-fast: .venv/ready redis ## the quick tests of a few variants, on SQLite and PostgreSQL
	@$(TESTS) --quiet --progress --quick --proof build/proof-fast.json --only "$(only)"

check: .venv/ready ## format, lint, types and tests of the template's own code
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy
	@.venv/bin/shellcheck tools/*.sh .ci/run
	@$(TESTS) --quiet tests/generation/hooks tests/generation/test_local_extensions.py tests/checks tests/repository/test_repository.py

mutants: .venv/ready ## run mutants of the default service, or of some modules: only="web/etags"
	@$(PYTHON) -m tests.mutation.general_run "$(only)"

rule-mutants: .venv/ready servers ## try each mutant by rule of generated resources: only="database=sqlite"
	@$(PYTHON) -m pytest --quiet --every-mutant --only "$(only)" -rP tests/mutation/test_rule_mutants.py

bench: build/benchmarks/ready servers ## measure the service and its tests; only="http" engine=postgresql
	@build/benchmarks/bin/python -m benchmarks --engine $(engine) $(only)

pictures: build/benchmarks/ready browser ## draw the pictures of README.md
	@$(PYTHON) tools/make_recording.py
	@build/benchmarks/bin/python tools/make_screenshot.py
	@$(PYTHON) tools/make_trace.py --python build/benchmarks/bin/python

matrix: .venv/ready ## write docs/proof.md, docs/example.md and the badges from the template
	@$(PYTHON) -m tests.repository.matrix
	@$(PYTHON) -m tools.make_example >/dev/null

servers: mariadb redis pgbouncer rabbitmq newer

mariadb:
	@tools/install_mariadb.sh

redis:
	@tools/install_redis.sh

pgbouncer:
	@tools/install_pgbouncer.sh

rabbitmq:
	@tools/install_rabbitmq.sh

newer: .venv/ready
	@tools/install_newer.sh

builders:
	@tools/install_buildah.sh

browser:
	@tools/install_chromium.sh

build/benchmarks/ready: .venv/ready $(wildcard */pyproject.toml)
	@$(PYTHON) -m benchmarks.environment

.venv/ready: pyproject.toml tools/set_up.sh
	@tools/set_up.sh
