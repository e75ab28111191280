//! The doors: every way a request comes in, each sending the client's bytes and giving back the client's.

mod direct;
mod http2;
mod lambda;
mod tcp;
mod tls;

use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

pub use tcp::send;
pub use tls::Certificate;

use anyhost_actix::Actix;

use crate::process::binary;
use crate::wire::{Request, Response};

/// The largest request body in bytes that the doors are opened with: small, so that the cases about it
/// cost little.
pub const MAX_BODY: usize = 256 * 1024;

/// A way in to the App behind it.
pub trait Door: Send + Sync {
    /// Sends a request and gives what the client gets.
    ///
    /// # Errors
    /// What a client could not have understood, or an App that could not be reached, in words.
    fn send(&self, request: &Request) -> Result<Response, String>;

    /// Writes these bytes as they are on one connection, and gives all responses on it.
    ///
    /// # Errors
    /// As `send`; and always where the door has no wire, which the list of capabilities says.
    fn exchange(&self, _bytes: &[u8]) -> Result<Vec<Response>, String> {
        Err("this door has no wire".into())
    }

    /// Writes these bytes and no more ever, and gives what came back.
    ///
    /// # Errors
    /// As `exchange`.
    fn exchange_cut(&self, _bytes: &[u8]) -> Result<Vec<Response>, String> {
        Err("this door has no wire".into())
    }

    /// What a request through this door comes with.
    fn facts(&self) -> Facts;

    /// What the process behind the door has written.
    fn log(&self) -> String;
}

/// What every request through a door comes with, whatever its client wrote.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The client's address.
    pub client_ip: Option<&'static str>,
    /// The scheme the client used.
    pub scheme: &'static str,
    /// The host the client asks for.
    pub host: &'static str,
    /// The names of the headers that the platform's front end adds.
    pub adds: &'static [&'static str],
}

/// The doors there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// In this process, through core's `answer` alone.
    Direct,
    /// A PaaS process over TCP.
    PaasTcp,
    /// A VM process over TCP.
    VmTcp,
    /// A VM process over a Unix socket.
    VmUnix,
    /// A VM process over TCP, its listener handed over by whoever started it.
    VmInherited,
    /// A VM process over TCP, its clients named by the PROXY protocol.
    VmProxy,
    /// A VM process over TLS.
    VmTls,
    /// A VM process by HTTP/2 over TCP.
    VmH2c,
    /// A VM process by HTTP/2 over TLS.
    VmH2,
    /// A Lambda function behind an API Gateway REST API, the stage in the path.
    RestV1,
    /// A Lambda function behind an API Gateway HTTP API, the stage in the path.
    HttpV2,
    /// A Lambda function behind an API Gateway HTTP API that speaks payload format 1.0.
    HttpV1,
    /// A Lambda function behind its Function URL.
    FunctionUrl,
    /// A Lambda function behind a load balancer with single-value headers.
    AlbSingle,
    /// A Lambda function behind a load balancer with multi-value headers.
    AlbMulti,
    /// A Lambda function behind VPC Lattice.
    Lattice,
}

impl Kind {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 16] = [
        Self::Direct,
        Self::PaasTcp,
        Self::VmTcp,
        Self::VmUnix,
        Self::VmInherited,
        Self::VmProxy,
        Self::VmTls,
        Self::VmH2c,
        Self::VmH2,
        Self::RestV1,
        Self::HttpV2,
        Self::HttpV1,
        Self::FunctionUrl,
        Self::AlbSingle,
        Self::AlbMulti,
        Self::Lattice,
    ];

    /// Its name in the names of tests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::PaasTcp => "paas_tcp",
            Self::VmTcp => "vm_tcp",
            Self::VmUnix => "vm_unix",
            Self::VmInherited => "vm_inherited",
            Self::VmProxy => "vm_proxy",
            Self::VmTls => "vm_tls",
            Self::VmH2c => "vm_h2c",
            Self::VmH2 => "vm_h2",
            Self::RestV1 => "lambda_rest_v1",
            Self::HttpV2 => "lambda_http_v2",
            Self::HttpV1 => "lambda_http_v1",
            Self::FunctionUrl => "lambda_url",
            Self::AlbSingle => "lambda_alb_single",
            Self::AlbMulti => "lambda_alb_multi",
            Self::Lattice => "lambda_lattice",
        }
    }

    /// Whether it leads to a Lambda function.
    #[must_use]
    pub const fn is_lambda(self) -> bool {
        matches!(
            self,
            Self::RestV1
                | Self::HttpV2
                | Self::HttpV1
                | Self::FunctionUrl
                | Self::AlbSingle
                | Self::AlbMulti
                | Self::Lattice
        )
    }

    fn open(self, example: Example) -> Box<dyn Door> {
        match (self, example) {
            (Self::Direct, Example::Echo) => Box::new(direct::Direct::<echo::Echo>::open()),
            (Self::Direct, Example::EchoActix) => {
                Box::new(direct::Direct::<Actix<echo_actix::Echo>>::open())
            }
            (Self::Direct, Example::Notes) => Box::new(direct::Direct::<notes::Notes>::open()),
            (Self::PaasTcp, _) => Box::new(tcp::Tcp::paas(example)),
            (Self::VmTcp, _) => Box::new(tcp::Tcp::vm(example)),
            (Self::VmUnix, _) => Box::new(tcp::Tcp::vm_unix(example)),
            (Self::VmInherited, _) => Box::new(tcp::Tcp::vm_inherited(example)),
            (Self::VmProxy, _) => Box::new(tcp::Tcp::vm_proxy(example)),
            (Self::VmTls, _) => Box::new(tcp::Tcp::vm_tls(example)),
            (Self::VmH2c, _) => Box::new(http2::Http2::plain(example)),
            (Self::VmH2, _) => Box::new(http2::Http2::tls(example)),
            (Self::RestV1, _) => Box::new(lambda::Lambda::open(example, lambda::RestV1)),
            (Self::HttpV2, _) => Box::new(lambda::Lambda::open(example, lambda::HttpV2)),
            (Self::HttpV1, _) => Box::new(lambda::Lambda::open(example, lambda::HttpV1)),
            (Self::FunctionUrl, _) => Box::new(lambda::Lambda::open(example, lambda::FunctionUrl)),
            (Self::AlbSingle, _) => Box::new(lambda::Lambda::open(example, lambda::AlbSingle)),
            (Self::AlbMulti, _) => Box::new(lambda::Lambda::open(example, lambda::AlbMulti)),
            (Self::Lattice, _) => Box::new(lambda::Lambda::open(example, lambda::Lattice)),
        }
    }
}

/// The Apps behind the doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Example {
    /// It answers what it saw, and every shape of response.
    Echo,
    /// The same, as an actix-web application.
    EchoActix,
    /// It has a database: SQLite in a folder of its own.
    Notes,
}

impl Example {
    const ALL: [Self; 3] = [Self::Echo, Self::EchoActix, Self::Notes];

    /// Itself, and the Apps for which the same rules hold.
    #[must_use]
    pub const fn variants(self) -> &'static [Self] {
        match self {
            Self::Echo => &[Self::Echo, Self::EchoActix],
            Self::EchoActix => &[Self::EchoActix],
            Self::Notes => &[Self::Notes],
        }
    }

    /// Its program for a host: `echo-paas`.
    fn program(self, host: &str) -> PathBuf {
        match self {
            Self::Echo => binary(&format!("echo-{host}")),
            Self::EchoActix => binary(&format!("echo-actix-{host}")),
            Self::Notes => binary(&format!("notes-{host}")),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The doors of one run, each opened at its first case and shut when this is dropped.
#[derive(Default)]
pub struct Doors([[OnceLock<Box<dyn Door>>; Kind::ALL.len()]; Example::ALL.len()]);

impl Doors {
    /// A door to an App, opened.
    #[must_use]
    pub fn door(&self, kind: Kind, example: Example) -> &dyn Door {
        self.0[example as usize][kind as usize].get_or_init(|| kind.open(example)).as_ref()
    }
}

impl fmt::Debug for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all =
            Example::ALL.into_iter().flat_map(|example| Kind::ALL.map(|kind| (example, kind)));
        let open =
            all.filter(|(example, kind)| self.0[*example as usize][*kind as usize].get().is_some());
        f.debug_set().entries(open).finish()
    }
}
