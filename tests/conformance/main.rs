//! Every case through every door: `cargo test -p anyhost-tests --test conformance`.

fn main() -> std::process::ExitCode {
    anyhost_tests::suite::main()
}
