//! The capabilities that doors lack: the kit's lists and the additions of this crate, each with its reason, and the
//! number of cases that they skip.
//!
//! Only limits of platforms are listed. A fault of an adapter is a failing case.

pub use anyhost_test::Capability;
use anyhost_test::{DoorKind, Lack};

use crate::cases;
use crate::doors::{Example, Kind};

/// A capability that a door lacks, and the reason.
#[must_use]
pub const fn lacks(door: Kind) -> &'static [Lack] {
    use Capability::*;
    match door {
        Kind::PaasTcp | Kind::VmTcp | Kind::VmInherited | Kind::VmTls => DoorKind::Http1.lacks(),
        Kind::VmProxy => &[
            (Buffers, "the client has the head before the body is made"),
            (AnswerLimit, "there is none"),
            (NoWebSockets, "there are some"),
            (FrontEnd, "the one before this socket speaks in a protocol of its own"),
        ],
        Kind::VmH2c | Kind::VmH2 => DoorKind::Http2.lacks(),
        Kind::VmUnix => &[
            (Buffers, "the client has the head before the body is made"),
            (AnswerLimit, "there is none"),
            (NoWebSockets, "there are some"),
            (ClientAddress, "a Unix socket has no peer address"),
            (FrontEnd, "there is none before this socket"),
        ],
        Kind::Lambda(door) | Kind::InProcess(door) => door.lacks(),
    }
}

/// The reason why a door lacks a capability; `None` if it has it.
#[must_use]
pub fn lack(door: Kind, capability: Capability) -> Option<&'static str> {
    lacks(door).iter().find(|(lacked, _)| *lacked == capability).map(|(_, reason)| *reason)
}

/// A change that actix-web makes to messages on every door.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// The change.
    pub what: &'static str,
    /// The reason for it.
    pub reason: &'static str,
    /// The capability that the application therefore lacks.
    pub costs: Option<Capability>,
}

/// The changes that actix-web makes to requests and responses.
pub const ACTIX: &[Difference] = &[
    Difference {
        what: "trailers, of requests and of responses, are not carried",
        reason: "actix-web's bodies are bytes alone",
        costs: Some(Capability::Trailers),
    },
    Difference {
        what: "WebSockets are refused with 501",
        reason: "actix-web takes them up on connections of its own server",
        costs: Some(Capability::WebSockets),
    },
    Difference {
        what: "headers of different names change their order, in requests and in responses",
        reason: "actix-web keeps headers in a hash map; the values of one name stay in order",
        costs: None,
    },
];

/// How many cases the actix-web echo skips for what actix-web changes, of those that some door carries.
pub const ACTIX_SKIPS: usize = 3;

/// The capabilities that an App lacks on every door, because of its framework.
#[must_use]
pub const fn differences(example: Example) -> &'static [Difference] {
    match example {
        Example::EchoActix => ACTIX,
        Example::Echo | Example::Notes => &[],
    }
}

/// The reason why an App lacks a capability; `None` if it has it.
#[must_use]
pub fn costs(example: Example, capability: Capability) -> Option<&'static str> {
    let cost = differences(example).iter().find(|difference| difference.costs == Some(capability));
    cost.map(|difference| difference.reason)
}

/// How many cases an App skips for the framework it is written in, of those that some door carries.
#[must_use]
pub fn skipped_for(example: Example) -> usize {
    let carried = |case: &&cases::Case| {
        Kind::ALL.iter().any(|door| !case.needs.iter().any(|need| lack(*door, *need).is_some()))
    };
    let own = cases::all().filter(|case| case.example.variants().contains(&example));
    let costs = |case: &&cases::Case| case.needs.iter().any(|need| costs(example, *need).is_some());
    own.filter(carried).filter(costs).count()
}

/// How many cases each door skips, in the order of the table. A change here is a change of what we promise.
pub const SKIPS: [usize; Kind::ALL.len()] = [
    54, 4, 4, 5, 4, 4, 4, 56, 56, 71, 76, 80, 67, 77, 65, 65, // direct, processes, functions
    4, 56, 71, 76, 80, 67, 77, 65, 65, // the kit's
];
