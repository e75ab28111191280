//! Promises about the layers of the connection strategy: each knows only those below it.

use crate::{File, files, none};

/// From the top: what an App touches, the pool, connecting, a session with its errors and the plan, a kind of server,
/// the text of statements. Everything else of the folder lies below, such as settings.
const LAYERS: [&[&str]; 6] = [
    &[
        "builder",
        "conn",
        "executor",
        "handle",
        "lease",
        "memory",
        "migrate",
        "planned",
        "savepoint",
        "shares",
        "tx",
        "watchdog",
    ],
    &["pool"],
    &["connect"],
    &["session", "pooled", "error", "plan"],
    &["driver"],
    &["sql"],
];

const FOLDER: &str = "core/src/db/";

#[test]
fn a_layer_knows_only_those_below_it() {
    let mut found = Vec::new();
    for file in files(".rs").into_iter().filter(|file| file.path.starts_with(FOLDER)) {
        let own = layer(module(&file));
        for (line, name) in imports(&file) {
            if layer(&name) < own {
                found.push(format!("{}:{line} uses {name}", file.path));
            }
        }
    }
    none("handle, pool, connect, session, driver, settings: nothing is known upwards", found);
}

/// The module of the folder that a file belongs to.
fn module(file: &File) -> &str {
    let path = file.path.strip_prefix(FOLDER).unwrap_or_default();
    path.split(['/', '.']).next().unwrap_or_default()
}

/// The number of a module's layer, from the top.
fn layer(module: &str) -> usize {
    LAYERS.iter().position(|layer| layer.contains(&module)).unwrap_or(LAYERS.len())
}

/// The modules of the folder that a file imports from, each with its line.
fn imports(file: &File) -> Vec<(usize, String)> {
    let in_folder = file.path.matches('/').count() > FOLDER.matches('/').count();
    let from = if in_folder { "use crate::db::" } else { "use super::" };
    let mut found = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        // Unit tests may look upwards.
        if line.starts_with("#[cfg(test)]") {
            break;
        }
        let Some((_, path)) = line.split_once(from) else { continue };
        let names = path.trim_start_matches('{').split([',', '}', ';']);
        for name in names.filter_map(|name| name.trim().split("::").next()) {
            let name = match name {
                "Conn" => "conn",
                "Db" => "handle",
                "Tx" => "tx",
                "Error" => "error",
                "CloseReport" | "Stats" => "pool",
                name => name,
            };
            found.push((number, name.to_owned()));
            if !path.starts_with('{') {
                break;
            }
        }
    }
    found
}

#[test]
fn what_looks_upwards_is_found() {
    let file = File {
        path: "core/src/db/session/rows.rs".into(),
        text: "use crate::db::pool::Pool;\nuse crate::db::{driver, handle::Db};\n".into(),
    };
    let upwards: Vec<_> =
        imports(&file).into_iter().filter(|(_, name)| layer(name) < layer(module(&file))).collect();
    assert_eq!(upwards, [(1, "pool".to_owned()), (2, "handle".to_owned())]);
}
