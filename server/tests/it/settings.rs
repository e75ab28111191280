//! Settings that are wrong, and what an operator is told about them.

use anyhost_core::{ConfigError, Setting, Settings};
use anyhost_server::{Config, MaxInFlight};

fn refused(pairs: &[(&str, &str)]) -> ConfigError {
    let settings = Settings::from_pairs(pairs.iter().copied());
    Config::default().with(&settings).map(|_| pairs).expect_err("a wrong value")
}

#[test]
fn a_wrong_setting_is_named() {
    for (name, values) in [
        ("KEEP_ALIVE", &["0", "soon"][..]),
        ("HEADER_TIMEOUT", &["0", "soon"]),
        ("BODY_TIMEOUT", &["0", "soon"]),
        ("SEND_TIMEOUT", &["0", "soon"]),
        ("WORKERS", &["0", "soon"]),
        ("MAX_IN_FLIGHT", &["0", "-1", "many"]),
        ("MIN_BODY_RATE", &["fast"]),
        ("STARTUPZ_PATH", &["health", "/a b", "/a?b"]),
        ("TRUSTED_PROXIES", &["256", "-1", "everybody"]),
        ("TRUSTED_HEADERS", &["x-forwarded-for, authorization", "x-forwarded-for, forwarded"]),
    ] {
        for value in values {
            assert_eq!(refused(&[(name, value)]).variable(), name, "{value}");
        }
    }
}

#[test]
fn an_error_says_what_there_is_instead() {
    for (name, value, expected) in [
        ("WORKERS", "four", "expected a whole number from 1 to 512, found \"four\""),
        ("WORKERS", "513", "expected a whole number from 1 to 512, found \"513\""),
        ("MAX_CONNECTIONS", "0", "expected a whole number of at least 1, found \"0\""),
        ("LIVEZ_PATH", "/readyz", "/readyz is the path of another probe"),
        ("STARTUPZ_PATH", "/livez", "/livez is the path of another probe"),
    ] {
        let error = refused(&[(name, value)]).to_string();
        assert!(error.ends_with(expected), "{name}={value}: {error}");
    }
}

#[test]
fn a_limit_is_a_number_or_auto() {
    assert_eq!(MaxInFlight::parse("auto"), Some(MaxInFlight::Auto));
    assert_eq!(MaxInFlight::parse("8"), Some(MaxInFlight::Fixed(8)));
    assert_eq!(MaxInFlight::parse(""), None);
}

#[cfg(not(feature = "tls"))]
#[test]
fn a_certificate_is_refused_by_the_name_of_the_feature() {
    for name in ["TLS_CERTIFICATE", "TLS_KEY"] {
        let expected = "is set, and this program is built without the feature `tls`";
        let error = refused(&[(name, "/etc/site.pem")]);
        assert_eq!(error.to_string(), format!("{name}: {expected}"));
    }
}

#[cfg(feature = "tls")]
#[test]
fn one_file_of_tls_without_the_other_is_named() {
    let names = ["TLS_CERTIFICATE", "TLS_KEY"];
    for (set, missing) in [(names[0], names[1]), (names[1], names[0])] {
        assert_eq!(refused(&[(set, "/a.pem")]).variable(), missing);
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_file_that_cannot_be_used_is_named_with_its_variable() {
    use std::fs;

    let folder = tempfile::tempdir().expect("a folder");
    let [certificate, key] = ["c.pem", "k.pem"].map(|name| folder.path().join(name));
    let [named, key_named] = [&certificate, &key].map(|file| file.display().to_string());
    let make = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a key");
    let (first, second) = (make(), make());
    let says = |certificate_text: &str, key_text: &str, expected: &str| {
        fs::write(&certificate, certificate_text).expect("a file");
        fs::write(&key, key_text).expect("a file");
        let pairs = [("TLS_CERTIFICATE", &*named), ("TLS_KEY", &*key_named)];
        assert_eq!(refused(&pairs).to_string(), expected);
    };
    let (chain, secret) = (first.cert.pem(), first.signing_key.serialize_pem());
    let expected = format!("TLS_KEY: {key_named} holds no private key in PEM");
    says(&chain, &secret.replace("PRIVATE KEY", "SECRET"), &expected);
    let expected = format!("TLS_CERTIFICATE: {named} holds no certificate in PEM");
    says("hello", &secret, &expected);
    let expected = format!("TLS_KEY: {key_named} is not the key of the certificate in {named}");
    says(&second.cert.pem(), &secret, &expected);
    fs::remove_file(&key).expect("it is there");
    let pairs = [("TLS_CERTIFICATE", &*named), ("TLS_KEY", &*key_named)];
    let error = refused(&pairs).to_string();
    assert!(error.starts_with(&format!("TLS_KEY: {key_named} cannot be read: ")), "{error}");
}
