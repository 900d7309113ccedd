# Every task that a person or a CI job runs on this repository. `make` lists them.

CARGO ?= cargo

.DEFAULT_GOAL := help
.PHONY: help run test lint bench bench-schema proof

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and serve, with demo data, on 127.0.0.1:8080
	$(CARGO) run --release --locked -- serve --demo

test: ## Run all tests
	$(CARGO) test --locked

lint: ## Check format, clippy and the API documentation; any warning fails
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked

bench: ## Measure the server under load
	$(CARGO) bench --locked --bench load

bench-schema: ## Compare the candidate schemas (some ten minutes, 3 GB in TMPDIR)
	$(CARGO) bench --locked --bench schema

proof: ## Run the long forms of the fault tests, and the mutants where they are there
	YANSHU_CRASH_ROUNDS=50 YANSHU_SLOW_READER=100000 \
		$(CARGO) test --release --locked --test faults -- --nocapture
	@if [ -x tests/mutants/run ]; then tests/mutants/run; else echo "tests/mutants/run is not there: skipped"; fi
