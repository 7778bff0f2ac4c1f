# build, test, soak, lint, bench, abuse, clean. `make test` installs what the tests need, and says so.

CARGO ?= cargo
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
export PUSHGATE_TEST_PYTHON ?= $(TARGET)/python/bin/python

.PHONY: build test soak install lint bench abuse clean

build:
	$(CARGO) build --release

# Rust with rustfmt and clippy must be there. tests/install.sh brings the rest: curl, openssl,
# Python with the package `websockets`, Node with the packages of the tests, Chromium, PostgreSQL, mono, a JDK and
# Maven with OkHttp.
test: install lint
	@# Some tests open thousands of sockets; a shell's soft limit is often 1024.
	ulimit -n $$(ulimit -Hn) || true; $(CARGO) test

# make soak CRASHES=1000 POWER_CUTS=1000 CRASH_SEED=7; see tests/durable/crash.rs. Each test prints its seed.
CRASHES ?= 200
POWER_CUTS ?= 200
soak: install
	ulimit -n $$(ulimit -Hn) || true; CRASHES=$(CRASHES) POWER_CUTS=$(POWER_CUTS) \
		$(CARGO) test --test durable -- --nocapture --test-threads 1 what_was_acknowledged_survives

install:
	@sh tests/install.sh

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps
	@if command -v cargo-deny >/dev/null 2>&1; then \
		echo "$(CARGO) deny check bans licenses sources"; \
		$(CARGO) deny check bans licenses sources; \
	else \
		echo "cargo-deny is not installed: licences and sources are not checked"; \
	fi

# make bench BENCH="fanout1000 --quick"; see tests/bench/bench.rs.
bench:
	$(CARGO) bench --bench bench -- $(BENCH)

# make abuse ABUSE="--quick history"; see tests/abuse/abuse.rs.
abuse:
	$(CARGO) bench --bench abuse -- $(ABUSE)

clean:
	$(CARGO) clean
	rm -rf tests/external/node_modules tests/browser/node_modules
