# Deploy. `make up` and `make test` are all that a newcomer needs; `make help` lists the rest.

CARGO   ?= cargo
PREFIX  ?= /usr/local
DEPLOY  := target/release/deploy
SHOP    := examples/shop
SITES   := us de my
CASES   ?= 20000

.DEFAULT_GOAL := help
.PHONY: help up down test check fmt peers bench soak install prerequisites build

help:
	@echo "make up       build the release binary and render the sample shop for its three sites"
	@echo "make down     remove what make up made"
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
	@mkdir -p target/up
	@set -e; for site in $(SITES); do \
	  $(DEPLOY) render $(SHOP)/chart --release shop --namespace prod-$$site -f $(SHOP)/values/$$site.yaml -o yaml > target/up/$$site.yaml; \
	  echo; echo "== $$site: target/up/$$site.yaml"; \
	  $(DEPLOY) render $(SHOP)/chart --release shop --namespace prod-$$site -f $(SHOP)/values/$$site.yaml -o table; \
	done
	@echo; echo "Next: diff target/up/us.yaml target/up/de.yaml"
	@echo "      $(DEPLOY) helm template shop $(SHOP)/chart -f $(SHOP)/values/my.yaml --set services.storefront.replicas=5"
	@echo "      $(DEPLOY) helm lint $(SHOP)/chart"

down:
	rm -rf target/up

test: prerequisites
	$(CARGO) test --workspace --locked
	$(CARGO) test --locked --manifest-path $(SHOP)/server/Cargo.toml --target-dir target/shop

check: prerequisites
	$(CARGO) fmt --all --check
	$(CARGO) fmt --check --manifest-path $(SHOP)/server/Cargo.toml
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy --all-targets --locked --manifest-path $(SHOP)/server/Cargo.toml --target-dir target/shop -- -D warnings
	$(CARGO) xtask tidy

fmt:
	$(CARGO) fmt --all
	$(CARGO) fmt --manifest-path $(SHOP)/server/Cargo.toml

peers: prerequisites
	$(CARGO) xtask peers

bench: prerequisites
	$(CARGO) xtask peers install
	$(CARGO) xtask bench

soak: prerequisites
	PROPTEST_CASES=$(CASES) $(CARGO) test --workspace --locked --release

install: build
	install -D -m 0755 $(DEPLOY) $(DESTDIR)$(PREFIX)/bin/deploy
