//! The program that a reader of README.md makes: in a crate outside of the workspace, of nothing but what stands there.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::binary::{builder, executable};

static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();

const NAME: &str = "first-service";

/// What README.md has instead of a version, and a reader with the sources a path.
const SOURCE: &str = r#"git = "https://github.com/anyhost/anyhost""#;

/// The path of README.md's program, in the profile of this test; built at the first call.
///
/// # Panics
/// If README.md has no such code, or it does not compile.
#[track_caller]
#[must_use]
pub fn readme_program() -> PathBuf {
    match BUILT.get_or_init(build) {
        Ok(path) => path.clone(),
        Err(error) => panic!("the program of README.md: {error}"),
    }
}

fn build() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package lies in it");
    let readme = fs::read_to_string(root.join("README.md")).expect("there is a README");
    let dependencies = block(&readme, "```toml\n");
    if !dependencies.contains(SOURCE) {
        return Err(format!("its dependencies do not say {SOURCE}"));
    }
    let source = format!("path = {:?}", root.join("anyhost"));
    let dependencies = dependencies.replace(SOURCE, &source);
    let folder = folder(root);
    // The profile is the workspace's, so that what both depend on is built once.
    write(
        &folder.join("Cargo.toml"),
        &format!(
            "[package]\nname = {NAME:?}\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n{dependencies}\n\
             [profile.dev]\ndebug = \"line-tables-only\"\n\n[profile.dev.package.\"*\"]\ndebug = false\n"
        ),
    );
    write(&folder.join("src/main.rs"), block(&readme, "```rust,no_run\n"));
    // The versions that the workspace is tested with; cargo drops those that are not needed.
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("a folder of our own");
    let mut cargo = builder(env!("CARGO"));
    cargo.arg("build").arg("--manifest-path").arg(folder.join("Cargo.toml"));
    cargo.arg("--target-dir").arg(root.join("target"));
    executable(cargo, NAME)
}

/// The first block of code that begins like this.
fn block<'t>(text: &'t str, opening: &str) -> &'t str {
    let (_, rest) = text.split_once(opening).unwrap_or_else(|| panic!("README.md has {opening:?}"));
    rest.split("```").next().unwrap_or_default()
}

/// A folder outside of the workspace that keeps its name, since cargo builds the same crate in another folder again.
fn folder(root: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    root.hash(&mut hasher);
    let folder = std::env::temp_dir().join(format!("anyhost-readme-{:x}", hasher.finish()));
    fs::create_dir_all(folder.join("src")).expect("the folder for temporary files");
    folder
}

/// Writes a file, unless it says the same already: cargo builds again what is newer than its program.
fn write(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return;
    }
    fs::write(path, text).expect("a folder of our own");
}
