//! Promises about the layers of the connection strategy: each knows only those below it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{File, files, none};

/// From the top: what an App touches, the pool, connecting, a session with its errors and the plan, a kind of server,
/// the text of statements. Everything else of the folder lies below, such as settings.
const LAYERS: [&[&str]; 6] = [
    &[
        "any",
        "builder",
        "conn",
        "executor",
        "foreign_plan",
        "handle",
        "lease",
        "memory",
        "migrate",
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
    // Unit tests may look upwards.
    let text = file.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut found = Vec::new();
    for (at, _) in text.match_indices(from) {
        let line = text[..at].lines().count() + 1;
        let path = text[at + from.len()..].split(';').next().unwrap_or_default();
        let mut depth = usize::from(!path.starts_with('{'));
        let mut names = vec![String::new()];
        for character in path.chars() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => names.push(String::new()),
                _ if depth == 1 => names.last_mut().expect("one at least").push(character),
                _ => {}
            }
        }
        for name in names {
            let name = name.trim().split([':', ' ']).next().unwrap_or_default();
            let name = match name {
                "Conn" => "conn",
                "Db" => "handle",
                "DbBuilder" => "builder",
                "Tx" => "tx",
                "Error" => "error",
                "CloseReport" | "Stats" => "pool",
                "Limits" => "driver",
                "Plan" => "plan",
                "PoolState" => "pool_state",
                "Session" => "session",
                "Kind" | "Pooler" => "settings",
                name => name,
            };
            if !name.is_empty() {
                found.push((line, name.to_owned()));
            }
        }
    }
    found
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let tests = |file: &File| file.path.contains("/tests");
    for file in
        files(".rs").into_iter().filter(|file| file.path.starts_with(FOLDER) && !tests(file))
    {
        let own = module(&file);
        let known = all.entry(own.to_owned()).or_default();
        known.extend(imports(&file).into_iter().map(|(_, name)| name).filter(|name| name != own));
    }
    // A module that imports none of the remaining modules is in no circle.
    loop {
        let left: BTreeSet<String> = all.keys().cloned().collect();
        all.retain(|_, known| known.iter().any(|name| left.contains(name)));
        if all.len() == left.len() {
            break;
        }
    }
    none(
        "no circle of modules",
        all.iter().map(|(own, known)| format!("{own}: {known:?}")).collect(),
    );
}

#[test]
fn what_looks_upwards_is_found() {
    let file = File {
        path: "core/src/db/session/rows.rs".into(),
        text: "use crate::db::pool::Pool;\nuse crate::db::{\n    driver::{Driver, Step},\n    handle::Db,\n};\n".into(),
    };
    let upwards: Vec<_> =
        imports(&file).into_iter().filter(|(_, name)| layer(name) < layer(module(&file))).collect();
    assert_eq!(upwards, [(1, "pool".to_owned()), (2, "handle".to_owned())]);
}
