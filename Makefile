# Deploy. `make up` and `make test` are all that a newcomer needs; `make help` lists the rest.

CARGO   ?= cargo
XTASK   ?= $(CARGO) xtask
PREFIX  ?= /usr/local
DEPLOY  := target/release/deploy
SHOP    := examples/shop
CASES   ?= 20000

.DEFAULT_GOAL := help
.PHONY: help up down test check fmt fmt-check peers bench soak install prerequisites build

help:
	@echo "make up       build the release binary, start cluster and CI, push the sample shop, bring it up for its three sites (root)"
	@echo "make down     stop the cluster and remove every trace of it"
	@echo "make test     every test that needs no peer"
	@echo "make check    format, lints, tidy, licences"
	@echo "make peers    install the real helm and kustomize and compare every input with them (needs Go)"
	@echo "make bench    each budget with its figure, beside the real programs"
	@echo "make soak     the property tests with CASES=$(CASES) cases each"
	@echo "make install  copy the binary to PREFIX=$(PREFIX)"

prerequisites:
	@scripts/prerequisites

build: prerequisites
	$(CARGO) build --release --locked -p deploy-cli

up: build
	$(XTASK) shop up

down:
	$(XTASK) shop down

test: prerequisites
	$(CARGO) test --workspace --locked
	$(CARGO) test --locked --manifest-path $(SHOP)/server/Cargo.toml --target-dir target/shop

fmt-check: prerequisites
	$(CARGO) fmt --all --check
	$(CARGO) fmt --check --manifest-path $(SHOP)/server/Cargo.toml

check: fmt-check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy --all-targets --locked --manifest-path $(SHOP)/server/Cargo.toml --target-dir target/shop -- -D warnings
	$(XTASK) tidy

fmt:
	$(CARGO) fmt --all
	$(CARGO) fmt --manifest-path $(SHOP)/server/Cargo.toml

peers: prerequisites
	$(XTASK) peers

bench: prerequisites
	$(XTASK) peers install
	$(XTASK) bench

soak: prerequisites
	PROPTEST_CASES=$(CASES) $(CARGO) test --workspace --locked --release

install: build
	install -D -m 0755 $(DEPLOY) $(DESTDIR)$(PREFIX)/bin/deploy
