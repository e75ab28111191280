//! Promises about which crate may depend on which, by cargo's own word.

use std::collections::{HashMap, HashSet};
use std::process::Command;

use serde_json::Value;

use crate::{none, root};

const ADAPTERS: [&str; 3] = ["anyhost-paas", "anyhost-vm", "anyhost-lambda"];

#[test]
fn core_depends_on_no_platform() {
    let platform = |name: &str| {
        // `axum-core` is the trait `IntoResponse` without a router or a server.
        ["actix", "lambda", "aws", "axum"].iter().any(|prefix| name.starts_with(prefix))
            && name != "axum-core"
            || name.starts_with("anyhost-") && name != "anyhost-core"
    };
    let found = metadata().everything_under("anyhost-core").into_iter().filter(|n| platform(n));
    none("nothing under anyhost-core belongs to a platform", found.collect());
}

#[test]
fn adapters_do_not_depend_on_each_other() {
    let metadata = metadata();
    let mut crossed = Vec::new();
    for adapter in ADAPTERS {
        for other in metadata.everything_under(adapter) {
            if other != adapter && ADAPTERS.contains(&other.as_str()) {
                crossed.push(format!("{adapter} depends on {other}"));
            }
        }
    }
    none("no adapter stands on another", crossed);
}

#[test]
fn the_lambda_adapter_has_no_server_and_the_server_no_lambda() {
    let metadata = metadata();
    let mut crossed = Vec::new();
    for (package, alien) in [
        ("anyhost-lambda", "actix"),
        ("anyhost-lambda", "anyhost-server"),
        ("anyhost-server", "lambda"),
        ("anyhost-paas", "lambda"),
        ("anyhost-vm", "lambda"),
    ] {
        let found = metadata.everything_under(package).into_iter().filter(|n| n.starts_with(alien));
        crossed.extend(found.map(|name| format!("{package} depends on {name}")));
    }
    none("long-running and serverless share core alone", crossed);
}

#[test]
fn a_platforms_library_is_named_by_its_crates_alone() {
    let mut crossed = Vec::new();
    // The benchmarks stand beside the library, not on it: what they measure against they must name.
    let measured = |package: &Package| package.name == "anyhost-bench";
    for package in metadata().packages.into_iter().filter(|package| !measured(package)) {
        for dependency in &package.dependencies {
            let actix = dependency.starts_with("actix") && !ON_ACTIX.contains(&&*package.name);
            let lambda = ["lambda_http", "lambda_runtime"].contains(&dependency.as_str())
                && package.name != "anyhost-lambda";
            if actix || lambda {
                crossed.push(format!("{} names {dependency}", package.name));
            }
        }
    }
    none("a platform's library is named by its crates alone", crossed);
}

/// What the product is built on: a part of it that was replaced by our own code would be named here.
#[test]
fn the_crates_that_the_product_is_built_on_are_used_by_it() {
    let packages = metadata().packages;
    let mut missing = Vec::new();
    for (name, built_on) in [
        ("anyhost-core", &["async-trait", "deadpool", "sqlx", "tokio"][..]),
        ("anyhost-lambda", &["lambda_http"]),
        ("anyhost-actix", &["actix-web"]),
    ] {
        let package = packages.iter().find(|package| package.name == name).expect("it is there");
        for used in built_on {
            if !package.dependencies.iter().any(|dependency| dependency == used) {
                missing.push(format!("{name} does not use {used}"));
            }
        }
    }
    none("each is used where it belongs", missing);
}

/// The features choose which parts are compiled: a part that an App does not use is not compiled.
#[test]
fn an_app_compiles_no_part_that_it_does_not_use() {
    let database = ["sqlx", "sqlx-core", "deadpool", "secrecy", "url", "idna"];
    let tls = ["rustls", "ring", "tokio-rustls"];
    let everywhere = ["regex-automata", "time", "clap", "thiserror", "ppp", "opentelemetry"];
    let mut found = Vec::new();
    for (package, features, parts) in [
        ("anyhost", &["paas", "vm"][..], [&database[..], &tls, &everywhere].concat()),
        ("anyhost", &["paas"], ["lambda_http", "sd-notify"].to_vec()),
        // lambda_http brings `url`.
        ("hello", &[], [&database[..4], &tls, &everywhere].concat()),
        ("anyhost-lambda", &[], [&database[..4], &tls, &everywhere, &["h2"]].concat()),
        // SQLite is a file: no TLS for a database.
        ("anyhost", &["paas", "sqlite"], tls.to_vec()),
    ] {
        let built = built(package, features);
        assert!(built.contains("tokio"), "{package} is built from nothing: {built:?}");
        for part in parts.into_iter().filter(|part| built.contains(*part)) {
            found.push(format!("{package} with {features:?} compiles {part}"));
        }
    }
    none("an App compiles no part that it does not use", found);
}

/// The names of what is compiled for a package with these features alone.
fn built(package: &str, features: &[&str]) -> HashSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--locked", "--edges=normal,build", "--prefix=none", "-p", package]);
    if !features.is_empty() {
        cargo.args(["--no-default-features", "--features", &features.join(",")]);
    }
    let output = cargo.current_dir(root()).output().expect("cargo can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8_lossy(&output.stdout);
    lines.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// The crates that are made of actix-web or for it, and the programs that are written in it.
const ON_ACTIX: [&str; 4] = ["anyhost-actix", "echo-actix", "guestbook", "anyhost-tests"];

/// The packages of the workspace and what stands under them.
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    names: HashMap<String, String>,
    under: HashMap<String, Vec<String>>,
}

/// A package of the workspace and the dependencies it names, those of its tests left out.
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    dependencies: Vec<String>,
}

impl Metadata {
    /// The names of everything a package is built from, with all features, itself among them.
    fn everything_under(&self, name: &str) -> HashSet<String> {
        let package = self.packages.iter().find(|package| package.name == name);
        let package = package.unwrap_or_else(|| panic!("{name} is no package of ours"));
        let mut found = HashSet::new();
        let mut open = vec![&package.id];
        while let Some(id) = open.pop() {
            if found.insert(id) {
                open.extend(&self.under[id]);
            }
        }
        found.into_iter().map(|id| self.names[id].clone()).collect()
    }
}

/// The output of `cargo metadata`.
pub(crate) fn metadata() -> Metadata {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version=1", "--all-features", "--locked"]);
    let output = cargo.current_dir(root()).output().expect("cargo can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let all: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let members = list(&all["workspace_members"]).map(text).collect::<HashSet<_>>();
    let mut names = HashMap::new();
    let mut packages = Vec::new();
    for package in list(&all["packages"]) {
        let (id, name) = (text(&package["id"]), text(&package["name"]));
        names.insert(id.clone(), name.clone());
        if members.contains(&id) {
            let named =
                list(&package["dependencies"]).filter(|dependency| dependency["kind"] != "dev");
            let dependencies = named.map(|dependency| text(&dependency["name"])).collect();
            packages.push(Package { id, name, version: text(&package["version"]), dependencies });
        }
    }
    let mut under = HashMap::new();
    for node in list(&all["resolve"]["nodes"]) {
        let built = list(&node["deps"])
            .filter(|dependency| list(&dependency["dep_kinds"]).any(|kind| kind["kind"] != "dev"));
        under.insert(text(&node["id"]), built.map(|dependency| text(&dependency["pkg"])).collect());
    }
    Metadata { packages, names, under }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
