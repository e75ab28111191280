//! Finds deployment files and reads each by its kind.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::kubernetes::Scaler;
use super::{Deployed, kubernetes, lambda, render, toml_files, units};

/// The largest file that is read: no manifest comes near.
const LARGEST: u64 = 4 << 20;

/// A file that may be a manifest.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    /// The path from the folder on, as it is told.
    name: String,
}

/// What a file holds.
#[derive(Debug, Default)]
pub(crate) struct Manifests {
    pub(crate) deployed: Vec<Deployed>,
    pub(crate) scalers: Vec<Scaler>,
}

/// The files below a folder that may be manifests, in order. Hidden folders and links are left out.
pub(crate) fn below(folder: &Path) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        let fault = |error: std::io::Error| format!("{}: {error}", next.display());
        for entry in fs::read_dir(&next).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let kind = entry.file_type().map_err(fault)?;
            if kind.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules"
            {
                open.push(path);
            } else if kind.is_file() && wanted(&path) {
                let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
                files.push(File { path, name });
            }
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn wanted(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    matches!(ending, "yaml" | "yml" | "service")
        || path.file_name().is_some_and(|n| n == "fly.toml")
}

impl File {
    /// What it holds; one line with its name if it cannot be understood.
    pub(crate) fn read(&self) -> Result<Manifests, String> {
        let name = &self.name;
        let size = fs::metadata(&self.path).map_err(|error| format!("{name}: {error}"))?.len();
        if size > LARGEST {
            return Err(format!("{name}: is larger than {LARGEST} bytes"));
        }
        let text = fs::read_to_string(&self.path).map_err(|error| format!("{name}: {error}"))?;
        let mut found = Manifests::default();
        if name.ends_with(".service") {
            found.deployed.extend(units::read(name, &text));
        } else if name.ends_with(".toml") {
            found.deployed.push(toml_files::fly(name, &text)?);
        } else {
            let documents = serde_saphyr::from_multiple::<Value>(&text).map_err(|error| {
                let first = error.to_string().lines().next().unwrap_or_default().to_owned();
                format!("{name}: is no YAML: {first}")
            })?;
            for document in documents {
                found.deployed.extend(kubernetes::read(name, &document));
                found.deployed.extend(lambda::read(name, &document));
                found.deployed.extend(render::read(name, &document));
                found.scalers.extend(Scaler::read(&document));
            }
        }
        Ok(found)
    }
}
