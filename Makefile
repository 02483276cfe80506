# SPDX-License-Identifier: GPL-3.0-or-later
.DEFAULT_GOAL := help
export PYTHON ?= python3

# make sanity unit molecule ANSIBLE_CORE=2.21   with another ansible-core than that of requirements-dev.txt
# make system DEBIAN=13                         on hosts of one Debian
# make demo NEW_HOST="--ubuntu 24.04"           on another host, see tests/images/host
export DEBIAN

# The longest first: they run side by side.
STAGES := system molecule sanity package unit lint docs
HOSTS := ssh curl docker
NEEDS_venv := python
NEEDS_lint := python git shellcheck
NEEDS_sanity := python git shellcheck
NEEDS_unit := python git ss
NEEDS_package := python git
NEEDS_docs := python git
NEEDS_molecule := python git $(HOSTS)
NEEDS_system := python git $(HOSTS)
NEEDS_smoke := python git $(HOSTS)
NEEDS_coverage := python git ss $(HOSTS)
NEEDS_demo := python git $(HOSTS)
NEEDS_benchmark := python git $(HOSTS)
NEEDS_release := python git
NEEDS_test := python git ss shellcheck $(HOSTS)

# Checks first for everything that may be missing: packages, Docker, the images of the hosts, the tools.
define prepare
@tests/images/prerequisites $@ $(NEEDS_$@)
@$(if $(filter docker,$(NEEDS_$@)),tests/images/host image $(if $(filter demo smoke,$@),13,$(or $(DEBIAN),12 13)))
@$(MAKE) --silent .venv/complete
endef

.PHONY: help
help:
	@echo "make demo        deploy two apps to a Debian host in Docker, on http://127.0.0.1:8080"
	@echo "make demo-clean  remove the demo host"
	@echo "make test        run all checks and tests; the single stages are:"
	@echo "                 $(STAGES)"
	@echo "make smoke       deploy, redeploy, break, roll back and examine apps on each stack; five minutes"
	@echo "make coverage    measure which lines of plugins the unit and system tests run; 40 minutes"
	@echo "make benchmark   measure memory, plays and requests a second; about an hour and a half"
	@echo "make venv        install the tools of requirements-dev.txt into .venv"
	@echo "make release     make a release, see RELEASING.md"

.PHONY: demo
demo:
	$(prepare)
	@tests/images/demo $(NEW_HOST)

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

.PHONY: release
release:
	$(prepare)
	@.venv/bin/python tests/release.py $(VERSION)

# Its content is the ansible-core in .venv, so that another one makes a new .venv.
.venv/complete: requirements-dev.txt $(if $(filter x$(ANSIBLE_CORE),x$(shell cat .venv/complete 2>/dev/null)),,other-ansible-core)
	@echo "Creating .venv from requirements-dev.txt$(if $(ANSIBLE_CORE), with ansible-core $(ANSIBLE_CORE))"
	@$(PYTHON) -m venv --clear .venv
	@sed '$(if $(ANSIBLE_CORE),s/^ansible-core==.*/ansible-core==$(ANSIBLE_CORE).*/)' requirements-dev.txt >.venv/requirements.txt
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --requirement .venv/requirements.txt
	@echo $(ANSIBLE_CORE) >$@

.PHONY: other-ansible-core
other-ansible-core:
