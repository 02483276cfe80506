# SPDX-License-Identifier: GPL-3.0-or-later
.DEFAULT_GOAL := help
export PYTHON ?= python3

STAGES := lint sanity unit package molecule system
HOSTS := ssh curl docker
NEEDS_venv := python
NEEDS_lint := python git shellcheck
NEEDS_sanity := python git shellcheck
NEEDS_unit := python git
NEEDS_package := python git
NEEDS_molecule := python git $(HOSTS)
NEEDS_system := python git $(HOSTS)
NEEDS_smoke := python git $(HOSTS)
NEEDS_coverage := python git $(HOSTS)
NEEDS_demo := python git $(HOSTS)
NEEDS_benchmark := python git $(HOSTS)
NEEDS_test := python git shellcheck $(HOSTS)

# Checks first for everything that may be missing: packages, Docker, the images of the hosts, the tools.
define prepare
@tests/images/prerequisites $@ $(NEEDS_$@)
@$(if $(filter docker,$(NEEDS_$@)),tests/images/host image $(if $(filter demo smoke,$@),13,12 13))
@$(MAKE) --silent .venv/complete
endef

.PHONY: help
help:
	@echo "make demo        deploy two apps to a Debian host in Docker, on http://127.0.0.1:8080"
	@echo "make demo-clean  remove the demo host"
	@echo "make test        run all checks and tests; the single stages are:"
	@echo "                 $(STAGES)"
	@echo "make smoke       deploy, redeploy, break, roll back and examine apps on each stack; 5 minutes"
	@echo "make coverage    measure which lines of plugins the unit and system tests run; 40 minutes"
	@echo "make benchmark   measure memory, plays and requests a second; about an hour"
	@echo "make venv        install the tools of requirements-dev.txt into .venv"

.PHONY: demo
demo:
	$(prepare)
	@tests/images/demo

.PHONY: demo-clean
demo-clean:
	@tests/images/host down wsgi-stack-demo

.PHONY: test smoke coverage $(STAGES)
test smoke coverage $(STAGES):
	$(prepare)
	@.venv/bin/python tests/run.py $(if $(filter test,$@),$(STAGES),$@)

.PHONY: benchmark
benchmark:
	$(prepare)
	@.venv/bin/python tests/benchmarks/memory.py
	@.venv/bin/python tests/benchmarks/plays.py
	@.venv/bin/python tests/benchmarks/throughput.py

.PHONY: venv
venv:
	$(prepare)

.venv/complete: requirements-dev.txt
	@echo "Creating .venv from requirements-dev.txt"
	@$(PYTHON) -m venv --clear .venv
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@
