//! The doors: every way for a request to come in; each sends the client's bytes and returns the response's.

mod http2;
mod in_process;
mod lambda;
mod tcp;
mod tls;

use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

pub use anyhost_test::http1::send;
pub use anyhost_test::{Door, Facts};
pub use tls::Certificate;

use anyhost_test::{DoorKind, Lack};

use crate::process::binary;

/// The largest request body in bytes that the doors are opened with: small, so that the cases about it
/// cost little.
pub const MAX_BODY: usize = 256 * 1024;

/// All doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A PaaS process over TCP.
    PaasTcp,
    /// A VM process over TCP.
    VmTcp,
    /// A VM process over a Unix socket.
    VmUnix,
    /// A VM process over TCP, on a socket passed by its parent process.
    VmInherited,
    /// A VM process over TCP, its clients named by the PROXY protocol.
    VmProxy,
    /// A VM process over TLS.
    VmTls,
    /// A VM process by HTTP/2 over TCP.
    VmH2c,
    /// A VM process by HTTP/2 over TLS.
    VmH2,
    /// A Lambda process on a Runtime API, behind a source of events.
    Lambda(DoorKind),
    /// A door of the kit, in this process.
    InProcess(DoorKind),
}

impl Kind {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 25] = [
        Self::InProcess(DoorKind::Direct),
        Self::PaasTcp,
        Self::VmTcp,
        Self::VmUnix,
        Self::VmInherited,
        Self::VmProxy,
        Self::VmTls,
        Self::VmH2c,
        Self::VmH2,
        Self::Lambda(DoorKind::RestV1),
        Self::Lambda(DoorKind::HttpV2),
        Self::Lambda(DoorKind::HttpV1),
        Self::Lambda(DoorKind::FunctionUrl),
        Self::Lambda(DoorKind::AlbSingle),
        Self::Lambda(DoorKind::AlbMulti),
        Self::Lambda(DoorKind::Lattice),
        Self::InProcess(DoorKind::Http1),
        Self::InProcess(DoorKind::Http2),
        Self::InProcess(DoorKind::RestV1),
        Self::InProcess(DoorKind::HttpV2),
        Self::InProcess(DoorKind::HttpV1),
        Self::InProcess(DoorKind::FunctionUrl),
        Self::InProcess(DoorKind::AlbSingle),
        Self::InProcess(DoorKind::AlbMulti),
        Self::InProcess(DoorKind::Lattice),
    ];

    /// Its name in the names of tests.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::InProcess(DoorKind::Direct) => "direct".into(),
            Self::PaasTcp => "paas_tcp".into(),
            Self::VmTcp => "vm_tcp".into(),
            Self::VmUnix => "vm_unix".into(),
            Self::VmInherited => "vm_inherited".into(),
            Self::VmProxy => "vm_proxy".into(),
            Self::VmTls => "vm_tls".into(),
            Self::VmH2c => "vm_h2c".into(),
            Self::VmH2 => "vm_h2".into(),
            Self::Lambda(source) => source.name().into(),
            Self::InProcess(door) => format!("kit_{door}"),
        }
    }

    fn open(self, example: Example) -> Box<dyn Door> {
        match self {
            Self::InProcess(door) => in_process::open(door, example),
            Self::PaasTcp => Box::new(tcp::Tcp::paas(example)),
            Self::VmTcp => Box::new(tcp::Tcp::vm(example)),
            Self::VmUnix => Box::new(tcp::Tcp::vm_unix(example)),
            Self::VmInherited => Box::new(tcp::Tcp::vm_inherited(example)),
            Self::VmProxy => Box::new(tcp::Tcp::vm_proxy(example)),
            Self::VmTls => Box::new(tcp::Tcp::vm_tls(example)),
            Self::VmH2c => Box::new(http2::Http2::plain(example)),
            Self::VmH2 => Box::new(http2::Http2::tls(example)),
            Self::Lambda(door) => Box::new(lambda::Lambda::open(example, door)),
        }
    }
}

/// The Apps behind the doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Example {
    /// It returns the request as it saw it, and every shape of response.
    Echo,
    /// The same, as an actix-web application.
    EchoActix,
    /// It has a database: SQLite in a folder of its own.
    Notes,
}

impl Example {
    const ALL: [Self; 3] = [Self::Echo, Self::EchoActix, Self::Notes];

    /// This App, and its variants in other frameworks, for which the same rules hold.
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

/// A door as the suite goes through it.
pub struct Entry {
    name: String,
    lacks: &'static [Lack],
    examples: &'static [Example],
    open: Box<dyn Fn(Example) -> Box<dyn Door> + Send + Sync>,
}

impl Entry {
    /// A door to the echo: its name in the names of tests, what it cannot carry, and how it is opened at the first case.
    /// The App behind it is `echo::Echo`, on a host whose `MAX_BODY` is [`MAX_BODY`].
    pub fn to_echo(
        name: &str,
        lacks: &'static [Lack],
        open: impl Fn() -> Box<dyn Door> + Send + Sync + 'static,
    ) -> Self {
        let open = Box::new(move |_| open());
        Self { name: name.into(), lacks, examples: &[Example::Echo], open }
    }

    /// Its name in the names of tests.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it cannot carry.
    #[must_use]
    pub fn lacks(&self) -> &'static [Lack] {
        self.lacks
    }

    /// Whether this App is behind it.
    #[must_use]
    pub fn leads_to(&self, example: Example) -> bool {
        self.examples.contains(&example)
    }
}

impl From<Kind> for Entry {
    fn from(door: Kind) -> Self {
        Self {
            name: door.name(),
            lacks: crate::capabilities::lacks(door),
            examples: &Example::ALL,
            open: Box::new(move |example| door.open(example)),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entry").field(&self.name).finish()
    }
}

/// The doors of one run, each opened at its first case and shut when this is dropped.
pub struct Doors {
    entries: Vec<Entry>,
    /// One for each App, in the order of the entries.
    open: [Vec<OnceLock<Box<dyn Door>>>; Example::ALL.len()],
}

impl Doors {
    /// Doors that are all shut.
    #[must_use]
    pub fn new(entries: Vec<Entry>) -> Self {
        let shut = || entries.iter().map(|_| OnceLock::new()).collect();
        Self { open: Example::ALL.map(|_| shut()), entries }
    }

    /// The doors, in the order of the table.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// A door to an App, opened.
    #[must_use]
    pub fn door(&self, place: usize, example: Example) -> &dyn Door {
        let open = || (self.entries[place].open)(example);
        self.open[example as usize][place].get_or_init(open).as_ref()
    }
}

impl fmt::Debug for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.entries).finish()
    }
}
