# Everything that is done with this repository, one target each; `make` lists them.
# A target that needs Python makes or refreshes .venv first (see .ci/venv); a second run finds it ready.
#   PYTHON=python3.13   take this interpreter          UV=   do not use uv, even where it is installed
.DEFAULT_GOAL := help
SHELL := /bin/sh

UV ?= uv
BIN := .venv/bin
# What a run leaves behind belongs to whoever ran it: root and a user in one checkout do not lock each other out.
SCRATCH := $(CURDIR)/.cache-$(shell id -u)
export RUFF_CACHE_DIR := $(SCRATCH)/ruff
export MYPY_CACHE_DIR := $(SCRATCH)/mypy
export COVERAGE_FILE := $(SCRATCH)/coverage/data
export HYPOTHESIS_STORAGE_DIRECTORY := $(SCRATCH)/hypothesis
PYTEST := $(BIN)/python -m pytest -o cache_dir="$(SCRATCH)/pytest" -n 3 --dist worksteal

.PHONY: help demo test test-long image chaos bench-fleet bench-s3 bench-dump bench-probes damage corpus dashboards lint bench lock clean venv

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | awk -F'\t' '{ printf "make %-10s %s\n", $$1, $$2 }'

demo: venv ## restore real PostgreSQL from snapshots of a local AWS: six checks, all three verdicts; ends with RESULT {json}
	@$(BIN)/restorecheck demo

test: lint ## lint, types, every test but the long ones, coverage gates; ends with "N passed, N failed"
	@rm -rf "$(SCRATCH)/coverage" && mkdir -p "$(SCRATCH)/coverage"
	@code=0; \
	$(PYTEST) -m "not long and not image" --cov --cov-report= --junitxml="$(SCRATCH)/coverage/tests.xml" || code=$$?; \
	$(BIN)/python -m coverage json --quiet -o "$(SCRATCH)/coverage/coverage.json"; \
	$(BIN)/python tests/coverage_gate.py --pytest-exit $$code \
		--coverage "$(SCRATCH)/coverage/coverage.json" --tests "$(SCRATCH)/coverage/tests.xml"

test-long: venv ## the tests marked `long`: crash matrices, real time, damage; having none is a failure
	@code=0; $(PYTEST) -m long || code=$$?; \
	if [ $$code -eq 5 ]; then echo "no test is marked long, or none could be collected: 0 passed, 1 failed"; fi; \
	exit $$code

image: venv ## build the container image without an engine's help from outside, and run it hardened; needs root, podman, runc, debootstrap
	@$(BIN)/python -m pytest -o cache_dir="$(SCRATCH)/pytest" -n 0 -s -m image tests/deploy

chaos: venv ## nights that skip by, 40 checks, the service killed -9 a hundred times; ends with RESULT {json}. KILLS= NIGHTS= MINUTES= REPLICAS= SEED=
	@$(BIN)/python tests/chaos/nights.py

bench-fleet: venv ## 1,000 checks due at the same minute, at most 40 at once: calls a minute, memory; ends with RESULT {json}. CHECKS=
	@$(BIN)/python benchmarks/fleet.py

bench-s3: venv ## a bucket at a point in time against s3-pit-restore, rclone and s5cmd on one local S3; ends with RESULT {json}. VERSIONS= ROUNDS= PEERS=
	@$(BIN)/python benchmarks/s3.py

bench-dump: venv ## from a dump object to the first answer, against plain and hand-tuned pg_restore; ends with RESULT {json}. SIZE= ROUNDS=
	@$(BIN)/python benchmarks/dump.py

bench-probes: venv ## `readable` and the other probes against pg_dump and pg_amcheck on one database of 1 GB; ends with RESULT {json}. SIZE= ROUNDS=
	@$(BIN)/python benchmarks/probes.py

damage: venv ## 39 kinds of damage done to a server's files, with and without checksums: what the probes catch; ends with RESULT {json}. ONLY=
	@$(BIN)/python tests/damage/suite.py $(ONLY)

corpus: venv ## every kind of broken backup that can be staged, and healthy ones of many shapes; ends with RESULT {json}. ONLY=
	@$(BIN)/python tests/broken_backups/corpus.py $(ONLY)

dashboards: venv ## write the Grafana dashboards in deploy/grafana/dashboards from their Python source
	@PYTHONPATH=deploy/grafana $(BIN)/python -m boards

lint: venv ## ruff check, ruff format --check, mypy --strict
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy \
		|| { echo "0 passed, 1 failed: lint"; exit 1; }

bench: venv ## run every benchmark in benchmarks/; ends with RESULT {json}
	@$(BIN)/python benchmarks

lock: ## resolve requirements.lock anew, keeping what still fits (UPGRADE=1: take the newest); needs uv
	@command -v $(UV) >/dev/null 2>&1 || { echo "make lock needs uv (any way of installing it will do)" >&2; exit 1; }
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		$(if $(UPGRADE),--upgrade) --extra apprise --extra aws-lambda --extra demo --extra dumps --extra objects --extra test pyproject.toml --output-file requirements.lock
	@grep -c '==' requirements.lock | sed 's/$$/ packages are locked/'

venv: ## make or refresh .venv from requirements.lock
	@UV="$(UV)" PYTHON="$(PYTHON)" .ci/venv

clean: ## remove .venv, caches and what builds left behind
	@rm -rf .venv .cache-$(shell id -u) build dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
