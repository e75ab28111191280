//! The TLS mode, from the parameters that tools and platforms write into database URLs.

use std::path::Path;

use super::{Kind, is_irregular};

/// Parameters of a URL that name a file with certificates or a key.
pub(super) const FILES: [&str; 9] = [
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "ssl-client-key",
];

/// What is wrong with a file that a parameter names, if anything. The PEM text itself may be given in place of the
/// file's name; then it is a secret and not quoted, nor is a text that may be a key in another form.
pub(super) fn wrong_file(name: &str, value: &str) -> Option<String> {
    const BEGIN: &str = "-----BEGIN ";
    if value.trim_start().starts_with(BEGIN) {
        return None;
    }
    let shown = if name.contains("key") && !value.starts_with(['/', '.']) {
        "the file of this name".to_owned()
    } else {
        format!("{value:?}")
    };
    if is_irregular(Path::new(value)) {
        return Some(format!("{shown} is not a regular file"));
    }
    match std::fs::read_to_string(value) {
        Ok(text) if text.contains(BEGIN) => None,
        Ok(_) => Some(format!("{shown} has no PEM block, which begins with {BEGIN:?}")),
        Err(error) => Some(format!("{shown} cannot be read: {error}")),
    }
}

/// The TLS mode of a URL while its parameters are read.
pub(super) struct TlsMode {
    kind: Kind,
    pub(super) mode: Option<String>,
    /// Whether a file with certificate authorities is named.
    pub(super) root: bool,
    /// Whether the authorities that the system trusts are named.
    pub(super) system: bool,
    /// Whether the certificate and the name in it are to be checked, in words other than those of a mode.
    strict: bool,
}

impl TlsMode {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, mode: None, root: false, system: false, strict: false }
    }

    /// `sslmode`, whatever its spelling.
    pub(super) fn set(&mut self, value: &str) -> Result<(), String> {
        let value = value.to_ascii_lowercase();
        // Node's name for TLS without verification of the certificate.
        if value == "no-verify" {
            self.demand();
            return Ok(());
        }
        if !ssl_modes(self.kind).contains(&value.as_str()) {
            return Err(format!("expected {}", ssl_modes(self.kind).join(", ")));
        }
        self.mode = Some(value);
        Ok(())
    }

    /// `ssl`, as drivers of Java, Node and Python have it: true or false, a mode, or which checks of the certificate
    /// are made.
    pub(super) fn ssl(&mut self, value: &str) -> Result<(), String> {
        let text: String = value.to_ascii_lowercase().split_whitespace().collect();
        match text.as_str() {
            // Node's options for TLS: it checks the certificate unless they say otherwise.
            object if object.starts_with('{') => {
                if object.contains("\"rejectunauthorized\":false") {
                    self.demand();
                } else {
                    self.strict = true;
                }
            }
            mode if mode == "no-verify" || ssl_modes(self.kind).contains(&mode) => {
                self.set(mode)?;
            }
            _ if truth(&text)? => self.demand(),
            _ => self.mode = self.mode.take().or_else(|| Some(ssl_modes(self.kind)[0].into())),
        }
        Ok(())
    }

    /// `tls`, as the driver of Go has it.
    pub(super) fn tls(&mut self, value: &str) -> Result<(), String> {
        match value {
            "skip-verify" => self.demand(),
            "preferred" => {}
            _ if truth(value)? => self.strict = true,
            _ => self.set("disabled")?,
        }
        Ok(())
    }

    /// `ssl_verify_cert` and `ssl_verify_identity`, as drivers of Python have them.
    pub(super) fn verify(&mut self, value: &str, identity: bool) -> Result<(), String> {
        if truth(value)? {
            self.strict |= identity;
            self.mode = Some("verify_ca".into());
        }
        Ok(())
    }

    /// `sslaccept`, as Prisma has it.
    pub(super) fn accept(&mut self, value: &str) -> Result<(), String> {
        match value {
            "strict" => self.strict = true,
            "accept_invalid_certs" => {}
            _ => return Err("expected strict or accept_invalid_certs".into()),
        }
        Ok(())
    }

    /// Demands TLS, if no mode says more.
    fn demand(&mut self) {
        if self.mode.is_none() {
            let mode = if self.kind == Kind::Postgres { "require" } else { "required" };
            self.mode = Some(mode.into());
        }
    }

    /// Returns the mode that follows from all parameters together.
    pub(super) fn complete(&mut self) -> Result<Option<String>, String> {
        // As libpq: trusting the system's authorities demands a check of the name as well.
        if self.system && self.mode.as_deref().is_some_and(|mode| mode != "verify-full") {
            return Err("parameter sslrootcert: system goes with sslmode=verify-full alone".into());
        }
        if self.strict || self.system {
            self.mode = ssl_modes(self.kind).last().map(|mode| (*mode).to_owned());
        }
        // As libpq: demanding TLS and naming an authority means that it is checked.
        if self.kind == Kind::Postgres && self.root && self.mode.as_deref() == Some("require") {
            self.mode = Some("verify-ca".into());
        }
        Ok(self.mode.clone())
    }
}

pub(super) fn truth(value: &str) -> Result<bool, String> {
    match value {
        "true" | "1" | "on" | "yes" => Ok(true),
        "false" | "0" | "off" | "no" => Ok(false),
        _ => Err("expected true or false".into()),
    }
}

fn ssl_modes(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Postgres => &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
        Kind::MySql => &["disabled", "preferred", "required", "verify_ca", "verify_identity"],
        Kind::Sqlite => &[],
    }
}
