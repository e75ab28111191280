//! Settings in files: in a folder that systemd names, each file holds the setting of the same name.

use std::fs;
use std::path::Path;

use anyhost_core::{ConfigError, Settings};

/// The variables that name folders of settings: `ConfigurationDirectory=`, then `LoadCredential=`, which overrides it.
const FOLDERS: [&str; 2] = ["CONFIGURATION_DIRECTORY", "CREDENTIALS_DIRECTORY"];

/// Reads the settings in the folders that the variables name; a later folder overrides an earlier one.
///
/// # Errors
/// [`ConfigError`] names the folder and the file that cannot be read; what they hold is not printed.
pub(crate) fn read(variables: &Settings) -> Result<Vec<(String, String)>, ConfigError> {
    let mut found = Vec::new();
    for variable in FOLDERS {
        // systemd separates several folders by colons.
        for folder in variables.text(variable).into_iter().flat_map(|all| all.split(':')) {
            read_one(variable, Path::new(folder), &mut found)?;
        }
    }
    Ok(found)
}

fn read_one(
    variable: &'static str,
    folder: &Path,
    found: &mut Vec<(String, String)>,
) -> Result<(), ConfigError> {
    let wrong = |path: &Path, error: &dyn std::fmt::Display| {
        ConfigError::new(variable, format!("cannot read {}: {error}", path.display()))
    };
    for entry in fs::read_dir(folder).map_err(|error| wrong(folder, &error))? {
        let path = entry.map_err(|error| wrong(folder, &error))?.path();
        let Some(name) =
            path.file_name().and_then(|name| name.to_str()).filter(|name| is_setting(name))
        else {
            continue;
        };
        // `metadata` follows links. Folders are skipped.
        if fs::metadata(&path).is_ok_and(|file| !file.is_file()) {
            continue;
        }
        let bytes = fs::read(&path).map_err(|error| wrong(&path, &error))?;
        let mut text = String::from_utf8(bytes).map_err(|_| wrong(&path, &"it is not UTF-8"))?;
        // Editors end a file with a newline, which is not part of the value.
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
        found.push((name.to_owned(), text));
    }
    Ok(())
}

/// Returns whether a file's name can be that of a setting; other files are ignored.
fn is_setting(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_settings_by_their_names() {
        for name in ["DATABASE_URL", "LOG_LEVEL", "A1"] {
            assert!(is_setting(name), "{name}");
        }
        for name in ["database-url", "environment", ".A", "_A", "1A", "A.old", "A~", ""] {
            assert!(!is_setting(name), "{name}");
        }
    }
}
