# make demo | test | test-avx2 | test-ffmpeg | test-long | test-slurm | ui | graph | lint | report | setup | hooks | lock | help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test test-avx2 test-ffmpeg test-long test-slurm lint ui graph report setup hooks lock

PORT ?= 5000
WORKERS ?= 2
# Each has a cluster of its own, and mostly waits.
SLURM_WORKERS ?= 3
SLURM_TESTS ?= tests/slurm
# What computes with torch (not how it is stopped and resumed: that is bytes), and what decodes media.
NUMERIC_TESTS ?= tests/methods tests/models tests/gap tests/evaluation tests/training/test_precision.py
NUMERIC_WORDS ?= not resum and not signal and not killed and not any_number and not registry
MEDIA_TESTS ?= tests/media tests/data tests/prediction tests/stages/test_extract_split.py
FFMPEG ?= ffmpeg
READY := .venv/ready
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true

# An environment knows its own path: build it anew where the folder was moved or copied.
ifneq ($(shell cat $(READY) 2> /dev/null),$(CURDIR))
.PHONY: $(READY)
endif

help: ## This list.
	@awk -F ': .*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## Run everything in params.yaml on all cores; print the result table.
	@python workflow/scripts/demo.py

test: lint ## Run linters, type checker and all tests.
	@OMP_NUM_THREADS=1 python -m pytest -n $(WORKERS) --dist loadgroup

test-avx2: $(READY) ## Run the tests of numbers as on a CPU without AVX-512 and AMX.
	@ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 OMP_NUM_THREADS=1 \
		python -m pytest -n $(WORKERS) --dist loadgroup -k "$(NUMERIC_WORDS)" $(NUMERIC_TESTS)

test-ffmpeg: $(READY) ## Run the tests of media with another ffmpeg (FFMPEG=ffmpeg: that on PATH).
	@EQUIPOISE_FFMPEG=$(FFMPEG) OMP_NUM_THREADS=1 \
		python -m pytest -n $(WORKERS) --dist loadgroup $(MEDIA_TESTS)

test-long: $(READY) ## Run the tests that take minutes: several processes, git hooks.
	@OMP_NUM_THREADS=1 python -m pytest -m long

test-slurm: $(READY) ## Run the graph on a Slurm cluster of its own (Debian: slurm-wlm munge).
	@OMP_NUM_THREADS=1 python -m pytest -n $(SLURM_WORKERS) -m slurm $(SLURM_TESTS)

lint: $(READY) ## Run linters and the type checker only.
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check Snakefile workflow
	workflow/scripts/lint

ui: $(READY) ## Show every run in the browser (MLflow; PORT=5000).
	@uri="$${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}"; \
	if [[ $$uri == http* ]]; then echo "The runs are at $$uri"; else \
		mlflow ui --backend-store-uri "$$uri" --host 127.0.0.1 --port $(PORT) --workers 1; fi

graph: $(READY) ## Draw the stages: results/graph.mmd, and graph.svg where graphviz is installed.
	@mkdir -p results
	@snakemake --quiet all --forceall --rulegraph mermaid-js > results/graph.mmd
	@echo results/graph.mmd
	@if command -v dot > /dev/null; then \
		snakemake --quiet all --forceall --rulegraph dot | dot -Tsvg > results/graph.svg; \
		echo results/graph.svg; fi

report: $(READY) ## Write Snakemake's own report: results/workflow.html.
	@snakemake --quiet all --report results/workflow.html
	@echo results/workflow.html

setup: $(READY) ## Only set up .venv.

$(READY): envs/constraints.txt envs/uv.txt pyproject.toml
	@workflow/scripts/setup

hooks: $(READY) ## Install git hooks that keep results and commits together (docs/history.md).
	@pre-commit install --hook-type commit-msg --hook-type post-checkout --hook-type post-merge \
		--hook-type pre-push

lock: $(READY) ## Write envs/*.txt anew from pyproject.toml (UPGRADE=--upgrade: newest versions).
	@printf 'hatchling\neditables\n' | uv pip compile pyproject.toml - --extra dev --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--quiet $(UPGRADE) --output-file envs/constraints.txt
	@printf 'uv\n' | uv pip compile - --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --quiet $(UPGRADE) --output-file envs/uv.txt
