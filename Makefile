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
NEEDS_demo := python git $(HOSTS)
NEEDS_benchmark := python git $(HOSTS)
NEEDS_test := python git shellcheck $(HOSTS)

# Whatever may be missing shows before anything is begun: packages, Docker, the images of the hosts, the tools.
define prepare
@tests/images/prerequisites $@ $(NEEDS_$@)
@$(if $(filter docker,$(NEEDS_$@)),tests/images/host image $(if $(filter demo benchmark,$@),13,12 13))
@$(MAKE) --silent .venv/complete
endef

.PHONY: help
help:
	@echo "make demo        two apps on a Debian host in Docker, behind nginx on http://127.0.0.1:8080"
	@echo "make demo-clean  remove that host"
	@echo "make test        every check and test; its stages, one by one:"
	@echo "                 $(STAGES)"
	@echo "make benchmark   the memory that an app takes on each stack, as a table; 10 to 20 minutes"
	@echo "make venv        the tools of requirements-dev.txt, in .venv"

.PHONY: demo
demo:
	$(prepare)
	@tests/images/demo

.PHONY: demo-clean
demo-clean:
	@tests/images/host down wsgi-stack-demo

.PHONY: test $(STAGES)
test $(STAGES):
	$(prepare)
	@.venv/bin/python tests/run.py $(if $(filter test,$@),$(STAGES),$@)

.PHONY: benchmark
benchmark:
	$(prepare)
	@.venv/bin/python tests/benchmarks/memory.py

.PHONY: venv
venv:
	$(prepare)

.venv/complete: requirements-dev.txt
	@echo "Making .venv from requirements-dev.txt"
	@$(PYTHON) -m venv --clear .venv
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@
