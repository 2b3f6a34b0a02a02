# Brisk: what to type. Each target may be repeated; it does only what is still to be done.
.DEFAULT_GOAL := help
.PHONY: help install install-dev demo serve services services-stop test check bench docs lock

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## make .venv with brisk and wsk in it, nothing but what runs
	@.ci/install requirements.lock

install-dev: ## the same, and the tools for test and check
	@.ci/install requirements-dev.lock

demo: install ## start the platform, run actions, show logs and bill, stop; CLUSTER=1: on Kafka and Docker
	@CLUSTER=$(CLUSTER) .venv/bin/python -m deploy.demo

serve: install ## start the platform and stay
	@.venv/bin/brisk serve

services: ## start what a cluster needs on this machine: a broker, a database, a container engine
	@deploy/dev/kafka start
	@deploy/dev/couchdb start
	@deploy/dev/docker start

services-stop: ## end what `make services` started, with its data
	@deploy/dev/kafka stop
	@deploy/dev/couchdb stop
	@deploy/dev/docker stop

test: install-dev ## all tests that need nothing but this machine
	@.ci/test

check: install-dev ## style, types, layers
	@.ci/check

bench: install ## measure this machine
	@.venv/bin/python -m tests.bench

docs: install-dev ## write docs/reference anew from the declarations
	@.venv/bin/python -m docs.generate

lock: install-dev ## resolve the versions anew (needs pip-tools in .venv)
	@.ci/lock
