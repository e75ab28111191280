//! SAM's own API Gateway: plain HTTP to events and back.

use std::net::SocketAddr;

use anyhost_tests::doors::send;
use anyhost_tests::process::Process;
use anyhost_tests::servers::port;
use anyhost_tests::wire::{Request, Response};
use tempfile::TempDir;

use crate::emulator::{Emulator, reachable};
use crate::install::{part, script};

/// A kind of API.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Api {
    /// A REST API: payload 1.0.
    Rest,
    /// An HTTP API: payload 2.0.
    Http,
}

/// An API Gateway before an emulator; gone when dropped.
pub(crate) struct Gateway {
    process: Process,
    address: SocketAddr,
    _home: TempDir,
}

impl Gateway {
    pub(crate) fn start(api: Api, emulator: &Emulator) -> Self {
        // SAM writes what it wants to remember into the home of its user.
        let home = TempDir::new().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port()));
        let port = address.port().to_string();
        let (script, url) = (script("gateway.py"), emulator.url());
        let kind = match api {
            Api::Rest => "rest",
            Api::Http => "http",
        };
        let python = part("venv/bin/python");
        let environment = [("HOME", home.path().to_str().unwrap()), ("SAM_CLI_TELEMETRY", "0")];
        let arguments = [script.as_str(), kind, &port, &url];
        let process = Process::start(&python, &arguments, home.path(), &environment);
        reachable(&process, address);
        Self { process, address, _home: home }
    }

    /// Sends a request as a client would.
    #[track_caller]
    pub(crate) fn send(&self, request: &Request) -> Response {
        match send(self.address, request) {
            Ok(response) => response,
            Err(error) => panic!("{error}; it wrote:\n{}", self.process.log().text()),
        }
    }
}
