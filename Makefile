# The commands that people, CI and the README share.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

.PHONY: run test test-platforms lint doc fmt prerequisites

run: ## notes on port 8080, on SQLite
	cargo run -p notes

test: prerequisites ## every test, on real servers
	cargo test --workspace

test-platforms: ## against the large third-party parts, kept in .platforms
	tests/platforms/install
	cargo test -p anyhost-tests --features platforms --test platforms

lint: ## rustfmt, clippy and docs, without a warning
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps

doc: ## the API documentation, in a browser
	cargo doc --workspace --all-features --no-deps --open

fmt:
	cargo fmt --all

prerequisites: ## the servers that tests start
	@tests/prerequisites
