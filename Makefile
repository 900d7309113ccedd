# Every task that a person or a CI job runs on this repository. `make` lists them.

CARGO ?= cargo
FUZZ_SECONDS ?= 600
YANSHU_SOAK_MINUTES ?= 60
# What is run on PostgreSQL and on two nodes, too: all but what is about sockets, whatever the store.
ON_ALL = --test protocol --test faults --test auth --test api --test model -- \
	--skip tls --skip floods:: --skip hostile_requests:: --skip memory_backlog:: --skip memory::unfinished
# Of files, what is about who may read them and what is kept of them.
FILES_ON_ALL = --test files -- readers:: forwarding:: quota:: sweep:: deleted:: uploads:: crash::

.DEFAULT_GOAL := help
.PHONY: help run test lint fuzz bench bench-compare bench-flood bench-instructions bench-schema proof soak screenshots check-deploy check-api

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and serve, with demo data, on 127.0.0.1:8080
	$(CARGO) run --release --locked -- serve --demo

test: ## Run all tests, those of one node on SQLite, on PostgreSQL and through two nodes
	$(CARGO) test --locked
	YANSHU_TEST_ON=postgres $(CARGO) test --locked $(ON_ALL)
	YANSHU_TEST_ON=postgres $(CARGO) test --locked $(FILES_ON_ALL)
	YANSHU_TEST_ON=cluster $(CARGO) test --locked $(ON_ALL)
	YANSHU_TEST_ON=cluster $(CARGO) test --locked $(FILES_ON_ALL)

lint: ## Check format, clippy, the API documentation and the dependencies; any warning fails
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked
	tests/mutants/run --check
	.ci/deny

fuzz: ## Fuzz each target for FUZZ_SECONDS (600), by cargo-fuzz and a nightly toolchain
	for target in frame_parser frame_guard token_reader; do \
		mkdir -p fuzz/found/$$target && $(CARGO) +nightly fuzz run $$target fuzz/found/$$target \
			fuzz/corpus/$$target -- -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

bench: ## Measure the server under load; YANSHU_BENCH_… of benches/load/main.rs say what
	$(CARGO) bench --locked --bench load

bench-compare: ## Measure the server of the revision BASE and the present one in turns, ROUNDS (5) times
	CARGO=$(CARGO) benches/compare "$(BASE)" $(ROUNDS)

bench-flood: ## Measure what polite users notice of a flood (some four minutes)
	$(CARGO) bench --locked --bench flood

bench-instructions: ## Count what each action costs the server (some two minutes, needs valgrind)
	$(CARGO) bench --locked --bench instructions

bench-schema: ## Compare the candidate schemas (some ten minutes, 3 GB in TMPDIR)
	$(CARGO) bench --locked --bench schema

proof: ## Run the long forms of the fault tests on all three, and the mutants where they are there
	for on in sqlite:500 postgres:200 cluster:50; do \
		export YANSHU_TEST_ON=$${on%:*} YANSHU_CRASH_ROUNDS=$${on#*:}; \
		YANSHU_POWER_ROUNDS=50 YANSHU_SLOW_READER=100000 \
			$(CARGO) test --release --locked --test faults -- --nocapture || exit 1; \
		YANSHU_MODEL_HISTORIES=10000 \
			$(CARGO) test --release --locked --test model -- --nocapture || exit 1; \
	done
	YANSHU_UPLOAD_MIB=10 $(CARGO) test --release --locked --test files crowd -- --nocapture
	YANSHU_CLUSTER_ROUNDS=10 $(CARGO) test --release --locked --test cluster -- --nocapture
	YANSHU_START_ROUNDS=50 YANSHU_TAKING_ROUNDS=50 YANSHU_ORDER_USERS=1000 YANSHU_ORDER_MESSAGES=100000 \
		$(CARGO) test --release --locked --test nodes -- --nocapture --test-threads=1
	@if [ -x tests/mutants/run ]; then tests/mutants/run; else echo "tests/mutants/run is not there: skipped"; fi

soak: ## Mixed traffic and faults for YANSHU_SOAK_MINUTES (60), on YANSHU_TEST_ON (sqlite); curves in target/soak
	YANSHU_SOAK_MINUTES=$(YANSHU_SOAK_MINUTES) $(CARGO) test --release --locked --test soak -- --nocapture

screenshots: ## Take the pictures of the web client anew, into docs/screenshots
	YANSHU_SCREENSHOTS=$(CURDIR)/docs/screenshots $(CARGO) test --locked --test web pictures

check-deploy: ## Hold docker-compose.yml, Dockerfile and nginx.conf against the tools that are installed
	deploy/check

check-api: ## Hold the provisioning API against its OpenAPI document (needs schemathesis, from PyPI)
	tests/api/schemathesis
