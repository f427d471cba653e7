# The everyday commands. `make build` and `make test` bring what they need by themselves, into .cache/.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.PHONY: help setup build module test demo bench discovery-figures lint wasm-size component-network starter clean

# Where set-up's results are (Envoy, ONNX Runtime, PostgreSQL, Python): see scripts/setup.
env := source .cache/env;

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 26

setup: ## Bring what is missing into .cache/, once
	@scripts/setup

build: module ## Build dist/apiward and dist/apiward_filter.wasm
	cargo build --release --locked --workspace --bin apiward
	mkdir -p dist
	cp target/release/apiward dist/apiward
	$(env) cp "$$ORT_DYLIB_PATH" dist/libonnxruntime.so

module: setup
	scripts/build-wasm

test: build ## Run every test, with a real Envoy, PostgreSQL, ONNX Runtime and JAX
	$(env) cargo test --workspace --release --locked

demo: build ## Tell the whole story once and judge it (KEEP=1 leaves it running)
	$(env) cargo run --release --locked --package apiward-e2e --bin demo

bench: build ## Measure what the filter costs in Envoy's processor time, as ratios of one run
	$(env) cargo run --release --locked --package apiward-e2e --bin payload-cost

# Another file of operations, such as of public APIs: make discovery-figures OPERATIONS=operations.tsv
OPERATIONS := tests/data/discovery/operations.tsv
measure := cargo run --release --locked --quiet --package apiward-e2e --bin discovery-quality -- --operations $(OPERATIONS)

discovery-figures: build ## Measure API discovery at two volumes of traffic, beside two public tools
	$(env) $(measure) --mean 200 --minimum 20 --ablation
	$(env) APIWARD_COMPARISON_PYTHON=$$(scripts/comparison-env); export APIWARD_COMPARISON_PYTHON; \
		$(measure) --mean 20 --minimum 5 --compare

lint: setup ## Formatting and lints, for the machine and for the module
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --release --locked -- -D warnings
	scripts/lint-wasm

wasm-size: module ## Show what the module's bytes are, by crate and function
	@scripts/wasm-module size target/wasm/apiward_filter.named.wasm

component-network: setup ## Train the network for path components anew, with its model card (models/networks)
	$(env) cargo run --release --locked --package apiward-trainer --example component_network -- train models/networks

starter: setup ## Train the payload network anew, with its model card (models/networks)
	$(env) cargo run --release --locked --package apiward-trainer --example payload_network -- train models/networks \
		--evaluate tests/data/payload/hard_benign.txt

clean: ## Remove what was built; .cache/ stays
	rm -rf target dist
