//! The proxies' files, read by the proxies.

use std::fs;

use tempfile::TempDir;

use crate::tool::{deploy, program, words};

#[test]
fn nginx_takes_its_site() {
    let folder = TempDir::new().unwrap();
    let site = deploy("vm/nginx.conf");
    let text = format!("pid pid; events {{}} http {{ include {}; }}", site.display());
    fs::write(folder.path().join("nginx.conf"), text).unwrap();
    let mut nginx = program("/usr/sbin/nginx");
    nginx.args(["-t", "-e", "stderr", "-c", "nginx.conf", "-p"]).arg(folder.path());
    let said = words(&mut nginx);
    assert!(said.contains("test is successful"), "{said}");
    assert!(!said.contains("[warn]"), "{said}");
}

#[test]
fn caddy_takes_its_file_as_it_would_write_it() {
    let file = deploy("vm/Caddyfile");
    let mut caddy = program("/usr/bin/caddy");
    let said = words(caddy.args(["validate", "--adapter", "caddyfile", "--config"]).arg(&file));
    assert!(said.contains("Valid configuration"), "{said}");
    assert!(!said.contains("WARN") && !said.contains("warn"), "{said}");
}
