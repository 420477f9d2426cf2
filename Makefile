# make run and make test need make and a Python 3 or uv, and nothing else: Python 3.10 is fetched where it is missing.

PYTHON := .venv/bin/python
INSTALLED := .venv/installed
ORCHESTRATE := .venv-orchestrate/installed
AWS := .venv-aws/installed
# A file's tests stay in one process, since they share runs and servers.
# Files in their order: by the number of tests, xdist's own order, the longest ones of tests/e2e would come last.
PARALLEL := --numprocesses=2 --dist=loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help run segment serve desk monitor schedule orchestrate test test-fast lint format texts conformance quality lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(INSTALLED)  ## train on the default data and push a model; ARGS="--data FILE" for more
	@$(PYTHON) -m pipeline.run $(ARGS)

segment: $(INSTALLED)  ## divide the default customers into segments and push that model; ARGS="--data FILE"
	@$(PYTHON) -m pipeline.segment $(ARGS)

serve: $(INSTALLED)  ## serve the pushed models on port 8501; ARGS="--rest_api_port=9000"
	@$(PYTHON) -m serving $(ARGS)

desk: $(INSTALLED)  ## the campaign desk on port 8600, its model server, Prometheus if installed; ARGS="--port 8700"
	@$(PYTHON) -m campaigns --start-server --start-monitoring $(ARGS)

monitor: $(INSTALLED)  ## server, exporter, Prometheus and a demonstration load; needs Debian's prometheus
	@$(PYTHON) -m monitoring $(ARGS)

schedule: $(INSTALLED)  ## train again by itself, every morning at six; ARGS="--inbox calls/" takes files from there
	@$(PYTHON) -m schedule $(ARGS)

orchestrate: $(ORCHESTRATE)  ## the schedule of trainings as a Prefect flow; ARGS="--help"
	@.venv-orchestrate/bin/python -m schedule.flow $(ARGS)

test: $(INSTALLED)  ## every test, the end-to-end ones included
	@$(PYTHON) -m pytest $(PARALLEL)

test-fast: $(INSTALLED)  ## the tests that need no pipeline run, server or Prometheus
	@$(PYTHON) -m pytest $(PARALLEL) -m "not e2e"

lint: $(INSTALLED)  ## check style, formatting, types, and that imports go one way
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@.venv/bin/lint-imports
	@$(PYTHON) -m mypy

format: $(INSTALLED)  ## mend style and formatting
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .

texts: $(INSTALLED)  ## collect the texts of the desk's pages into its catalogues of other languages
	@$(PYTHON) -m pages.texts

conformance: $(INSTALLED)  ## replay the REST cases; URL=http://host:8501 for a server of yours
	@$(PYTHON) -m tests.serving.conformance $(if $(URL),--url=$(URL))

quality: $(INSTALLED)  ## install boosted trees and measure the network beside them, an hour; ARGS="--help"
	@.venv/bin/uv pip install --quiet --compile-bytecode --require-hashes --python $(PYTHON) -r requirements-quality.txt
	@$(PYTHON) -m benchmarks.quality $(ARGS)

LOCK = .venv/bin/uv pip compile --generate-hashes --python $(PYTHON) \
	--custom-compile-command "make lock" --quiet

lock: $(INSTALLED)  ## resolve pyproject.toml anew into the requirements files
	@$(LOCK) pyproject.toml --group dev --output-file requirements.txt
	@$(LOCK) pyproject.toml --group quality --constraint requirements.txt --output-file requirements-quality.txt
	@$(LOCK) requirements-orchestrate.in --output-file requirements-orchestrate.txt
	@$(LOCK) requirements-aws.in --output-file requirements-aws.txt

clean:  ## remove the environment and everything that runs have written
	rm -rf .venv .venv-orchestrate .venv-aws .uv artifacts data/raw .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis

# The stamp is written last, so an interrupted installation starts over. Compiled bytecode makes TFX import in 10 s
# instead of 30 where Python may not write it itself.
$(INSTALLED): requirements.txt
	@echo "setting up .venv (once; a few minutes)"
	@bash .ci/environment
	@.venv/bin/uv pip install --quiet --compile-bytecode --require-hashes --python $(PYTHON) -r requirements.txt
	@touch $@

# What tests of deploy/ need beside .venv; without it they skip.
$(AWS): requirements-aws.txt $(INSTALLED)
	@echo "setting up .venv-aws (once)"
	@.venv/bin/uv venv --quiet --clear --python $(PYTHON) .venv-aws
	@.venv/bin/uv pip install --quiet --compile-bytecode --require-hashes --python .venv-aws/bin/python -r requirements-aws.txt
	@touch $@

$(ORCHESTRATE): requirements-orchestrate.txt $(INSTALLED)
	@echo "setting up .venv-orchestrate (once)"
	@.venv/bin/uv venv --quiet --clear --python $(PYTHON) .venv-orchestrate
	@.venv/bin/uv pip install --quiet --compile-bytecode --require-hashes --python .venv-orchestrate/bin/python \
		-r requirements-orchestrate.txt
	@touch $@
