# The commands that people, CI and the README share.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

.PHONY: run test test-portable test-platforms bench bench-quick bench-reality bench-weight book lint features doc fmt prerequisites

run: ## notes on port 8080, on SQLite
	cargo run -p notes

test: prerequisites ## every test, on real servers
	tests/run

test-portable: ## what runs without servers and on macOS too: the product, its unit tests and the guide's code
	cargo test --lib -p anyhost -p anyhost-core -p anyhost-server -p anyhost-paas -p anyhost-vm -p anyhost-lambda -p notes
	cargo test -p anyhost-test -p hello
	cargo test --doc -p anyhost-guide
	cargo run -p notes -- check

test-platforms: ## against the large third-party parts, kept in .platforms; as root
	tests/platforms/install
	tests/platforms/install-deployments
	cargo test -p anyhost-tests --features platforms --test platforms --test deployments

bench: prerequisites ## us and our peers side by side, in less than 20 minutes; writes BENCHMARKS.md
	cargo build --release -p anyhost-bench
	cargo run --release -p anyhost-bench -- full

bench-reality: prerequisites ## the planner's predictions beside a real load; writes planner/docs/reality.md
	cargo build --release -p anyhost-bench
	cargo run --release -p anyhost-bench -- reality

bench-quick: prerequisites ## the headline ratios, in less than 3 minutes; fails where one is missed
	cargo build --release -p anyhost-bench
	cargo run --release -p anyhost-bench -- quick

bench-weight: ## what an App costs to compile, beside its peers, in an hour; writes a table in BENCHMARKS.md
	bench/weight

features: ## crates with few of their features compile, without a warning
	cargo clippy -p anyhost-core --no-default-features -- -D warnings
	cargo clippy -p anyhost-core --no-default-features --features db -- -D warnings
	cargo clippy -p anyhost-core --no-default-features --features any,sqlite -- -D warnings
	cargo clippy -p anyhost-server --no-default-features -- -D warnings
	cargo clippy -p anyhost --no-default-features --features paas -- -D warnings
	cargo clippy -p anyhost --no-default-features --features vm,tls,sqlite -- -D warnings
	cargo clippy -p anyhost --no-default-features --features lambda -- -D warnings

book: ## the guide as a website in target/book
	.ci/book

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
