# The commands of the house; `make help` lists them. CI runs the same ones: see .ci/run.

# What was fetched or built is kept here by version, outside target/, so that `cargo clean` keeps it.
export SLUICE_CACHE ?= $(CURDIR)/.cache
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(SLUICE_CACHE)/cargo-deny-$(CARGO_DENY_VERSION)
GUNGRAUN_VERSION := $(shell sed -n '/^name = "gungraun"$$/{n;s/version = "\(.*\)"/\1/p;}' Cargo.lock)
PYTHON ?= python3

.DEFAULT_GOAL := help
.PHONY: help test test-clients test-clients-fast test-keda gateway check fmt lint doc deny bench guided bench-keda bench-scale bench-footprint demo peers clean-cache
.PHONY: up-core up-observability health-observability grafana down logs load drill incident deploy-check

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## Everything: Rust tests, conformance, real clients, Trinos, Chromium, Kubernetes, KEDA, Prometheus, Jaeger (fetches what it needs)
	@$(PYTHON) tests/real/suite.py

test-clients: gateway ## Every client in every situation against a real Trino, with a table at the end
	@$(PYTHON) tests/real/suite.py clients

test-keda: gateway ## KEDA's own scaler clients and operator against the gateway (builds KEDA once, some 700 CPU seconds)
	@$(PYTHON) tests/real/suite.py keda

test-clients-fast: gateway ## JDBC, Python and Go, warm and through one cold start
	@$(PYTHON) tests/real/suite.py clients-fast

gateway:
	@[ -n "$$SLUICE_BIN" ] || cargo build --locked --profile quick

check: ## The inner loop, cargo only: format, lints, Rust tests
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo test --locked --workspace --profile quick

fmt: ## Format the code
	cargo fmt --all

lint: ## Format and lints, nothing run
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

doc: ## The code's own documentation; a broken link is an error
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

deny: $(CARGO_DENY)/bin/cargo-deny ## Licences, banned crates, duplicates, sources
	$(CARGO_DENY)/bin/cargo-deny --all-features --log-level error check bans licenses sources

# Without optimisation: it reads one lock file, and compiles in half the time.
$(CARGO_DENY)/bin/cargo-deny:
	cargo install cargo-deny --quiet --locked --debug --version $(CARGO_DENY_VERSION) --root $(CARGO_DENY)

# A look is no result.
RESULTS := $(if $(findstring --quick,$(BENCH)),,--results benches/RESULTS.md)

bench: ## Speed beside other proxies, and instruction counts (fetches HAProxy, nginx, Envoy, valgrind); writes benches/RESULTS.md; BENCH=--quick looks only
	$(PYTHON) tests/real/proxies.py >/dev/null
	@if [ -n "$(GUNGRAUN_VERSION)" ] && [ ! -x $(SLUICE_CACHE)/gungraun-$(GUNGRAUN_VERSION)/bin/gungraun-runner ]; then \
		cargo install gungraun-runner --quiet --locked --version $(GUNGRAUN_VERSION) --root $(SLUICE_CACHE)/gungraun-$(GUNGRAUN_VERSION); \
	fi
	cargo bench --locked --features counts --bench compare --bench cold_start --bench counts --no-run
	PATH="$$($(PYTHON) tests/real/proxies.py):$$PATH" benches/loopback.py cargo bench --locked --features counts --bench compare -- $(RESULTS) $(BENCH)
	PATH="$$($(PYTHON) tests/real/proxies.py):$$PATH" benches/loopback.py cargo bench --locked --features counts --bench compare -- --awake --only '1KB,1KB paced' $(RESULTS) $(BENCH)
	PATH="$$($(PYTHON) tests/real/proxies.py):$$PATH" benches/loopback.py cargo bench --locked --features counts --bench compare -- --one-core --only 1KB $(RESULTS) $(BENCH)
	benches/loopback.py cargo bench --locked --features counts --bench compare -- --cost --only 1KB,queries $(RESULTS) $(BENCH)
	benches/loopback.py cargo bench --locked --features counts --bench cold_start -- $(filter --quick,$(BENCH))
	PATH="$(SLUICE_CACHE)/gungraun-$(GUNGRAUN_VERSION)/bin:$$PATH" cargo bench --locked --features counts --bench counts

guided: ## A release built by what it was seen to do (profile-guided: two builds, some twenty minutes); the last line says where it is
	@$(PYTHON) benches/guided/build.py

bench-keda: ## From a query to KEDA's write of the workers' count: 50 rounds, p50, p99, max (builds KEDA once); ROUNDS=50
	@$$($(PYTHON) tests/real/interpreter.py tests/real/observability/requirements.txt) tests/real/keda/bench.py $(ROUNDS)

bench-scale: gateway ## How the cost of a request grows with queries, groups, backends and rules, counted by valgrind; writes benches/RESULTS.md (some 15 minutes); SIZES=1,10,100,1000
	@$$($(PYTHON) tests/real/interpreter.py tests/real/requirements.txt) benches/scale/scale.py $(SIZES)

bench-footprint: ## Size, start, and memory with 11,000 connections, of a release; writes benches/RESULTS.md
	cargo build --locked --release
	@$$($(PYTHON) tests/real/interpreter.py tests/real/requirements.txt) benches/footprint/footprint.py

demo: ## The main job on simulated backends, until Ctrl-C
	cargo run --locked --release -- demo

peers: ## Fetch and build all real peers (Trino, Kubernetes, KEDA, Prometheus, Jaeger) now instead of at the first `make test`
	$(PYTHON) tests/real/fixture install

clean-cache: ## Forget what was fetched or built for the tests
	rm -rf $(SLUICE_CACHE)

# The compose stack; docs/OPERATIONS.md says what it costs. It needs a Docker with the compose plugin.
COMPOSE ?= docker compose
WATCHED := --profile observability

.env: .env.example
	@umask 077 && $(PYTHON) -c "import secrets, sys; sys.stdout.write(''.join(line.replace('change-me', secrets.token_hex(16)) for line in open('.env.example')))" >.env
	@echo "wrote .env with secrets of its own"

up-core: .env ## The gateway before two Trinos, one asleep, in containers: data on 127.0.0.1:8080
	$(COMPOSE) up --build --detach

up-observability: .env ## The same with Prometheus, Alertmanager, Loki, Alloy, Tempo, Grafana
	$(COMPOSE) $(WATCHED) up --build --detach
	@$(PYTHON) deploy/compose/health.py --wait 120

health-observability: ## Ask every service of the stack; exit 1 and name those that are not ready
	@$(PYTHON) deploy/compose/health.py

grafana: ## Say where the dashboards are
	@echo "http://127.0.0.1:3001/dashboards, user admin, password: GRAFANA_ADMIN_PASSWORD in .env"

down: .env ## Stop the stack; the volumes stay
	$(COMPOSE) --profile all --profile loadtest --profile jaeger down

logs: .env ## Follow the gateway's log
	$(COMPOSE) logs --follow sluice

load: .env ## People at work on the stack, until Ctrl-C; CLIENTS=4, SECONDS_TO_RUN=0
	$(COMPOSE) --profile loadtest run --rm --no-deps load

drill: .env ## Slow a backend down, wait for the alert, find the log, the trace and a profile
	@$(PYTHON) deploy/compose/drill.py

incident: ## Save what the gateway knows, before anybody changes anything
	@$(PYTHON) deploy/compose/incident.py

deploy-check: ## Dashboards, alerts, compose file, images and manifests, checked as files
	@$(PYTHON) tests/real/deploy/check.py
