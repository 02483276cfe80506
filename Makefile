# SPDX-License-Identifier: GPL-3.0-or-later
.DEFAULT_GOAL := help
export PYTHON ?= python3
STAGES := lint sanity unit package molecule system
NEEDS_lint := python git shellcheck
NEEDS_sanity := python git shellcheck
NEEDS_unit := python git
NEEDS_package := python git
NEEDS_molecule := python git ssh curl docker
NEEDS_system := python git ssh curl docker
NEEDS_demo := python git ssh curl docker
NEEDS_test := python git shellcheck ssh curl docker
NEEDS_venv := python

.PHONY: help
help:
	@echo "make demo        two apps on a Debian host in Docker, behind nginx on http://127.0.0.1:8080"
	@echo "make demo-clean  remove that host"
	@echo "make test        every check and test; its stages, one by one:"
	@echo "                 $(STAGES)"
	@echo "make venv        the tools of requirements-dev.txt, in .venv"

.PHONY: demo
demo:
	@tests/images/prerequisites $@ $(NEEDS_$@)
	@tests/images/host image 13
	@$(MAKE) --silent .venv/complete
	@tests/images/demo

.PHONY: demo-clean
demo-clean:
	@tests/images/host down wsgi-stack-demo

.PHONY: test $(STAGES)
test $(STAGES):
	@tests/images/prerequisites $@ $(NEEDS_$@)
	@$(MAKE) --silent .venv/complete
	@.venv/bin/python tests/run.py $(if $(filter test,$@),$(STAGES),$@)

.PHONY: venv
venv:
	@tests/images/prerequisites $@ $(NEEDS_$@)
	@$(MAKE) --silent .venv/complete

.venv/complete: requirements-dev.txt
	@echo "Making .venv from requirements-dev.txt"
	@$(PYTHON) -m venv --clear .venv
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@
