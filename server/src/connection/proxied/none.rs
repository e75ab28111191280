//! No PROXY protocol: what `proxied` is without the feature `proxy-protocol`. The configuration refuses it before.

use std::io;
use std::net::IpAddr;

use anyhost_core::Scheme;

/// What a header says.
pub(super) enum ProxyHeader {
    Own,
    #[expect(dead_code, reason = "the other of its kind has it")]
    Client(Option<IpAddr>, Option<Scheme>),
}

/// Reads nothing.
#[expect(clippy::unused_async, reason = "the other of its kind waits")]
pub(super) async fn read<S>(_: &mut S) -> io::Result<ProxyHeader> {
    Ok(ProxyHeader::Own)
}
