//! Certificates of a throwaway authority.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::ground::{self, User};

/// An authority with two certificates: of a server named `localhost` and of a client named `certified`.
#[derive(Debug)]
pub struct Certificates(PathBuf);

impl Certificates {
    /// Makes the files, for a server that runs as `postgres` or `mysql`.
    #[must_use]
    pub fn make(user: &'static str) -> Self {
        let folder = ground::folder("certificates", &User(user));
        let all = Self(folder);
        let key = KeyPair::generate().expect("a key can be made");
        let mut authority = CertificateParams::new([]).expect("no names are valid names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "an authority of the tests");
        let root = authority.self_signed(&key).expect("it signs itself");
        all.write("root.crt", &root.pem());
        let issuer = Issuer::new(authority, key);
        for (name, names) in [("localhost", vec!["localhost".to_owned()]), ("certified", vec![])] {
            let key = KeyPair::generate().expect("a key can be made");
            let mut certified = CertificateParams::new(names).expect("valid names");
            certified.distinguished_name.push(DnType::CommonName, name);
            let certificate = certified.signed_by(&key, &issuer).expect("the authority signs");
            all.write(&format!("{name}.crt"), &certificate.pem());
            all.write(&format!("{name}.key"), &key.serialize_pem());
        }
        for file in ["root.crt", "localhost.crt", "localhost.key"] {
            User(user).own(&all.file(file));
        }
        all
    }

    /// The path of one of them: `root.crt`, `localhost.crt`, `localhost.key`, `certified.crt`, `certified.key`.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.file(name);
        fs::write(&path, text).expect("the folder is ours or we are root");
        // Servers refuse a key that others may read.
        let mode = if Path::new(name).extension().is_some_and(|kind| kind == "key") {
            0o600
        } else {
            0o644
        };
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("the file is ours");
    }
}
