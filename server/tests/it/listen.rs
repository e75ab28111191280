//! Sockets that are bound, and sockets that were handed over.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;

use anyhost_core::adapter::Exit;
use anyhost_server::{Listener, bind_tcp};

#[test]
fn an_address_in_use_is_named() {
    let first = bind_tcp(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
    let address = first.tcp_address().expect("bound");
    let failure = bind_tcp(address).expect_err("the port is taken");
    assert_eq!(failure.exit(), Exit::Bind);
    assert_eq!(
        failure.to_string(),
        format!("cannot listen on {address}: the address is already in use")
    );
}

#[test]
fn an_inherited_descriptor_is_what_it_is() {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = tcp.local_addr().expect("bound");
    let listener = Listener::inherited(tcp.into()).expect("a TCP listener");
    assert_eq!(listener.tcp_address(), Some(address));

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    let unix = UnixListener::bind(&path).expect("a free path");
    let listener = Listener::inherited(unix.into()).expect("a Unix listener");
    assert_eq!(listener.to_string(), format!("unix:{}", path.display()));
}

// Elsewhere nothing tells a listening socket from a connected one.
#[cfg(target_os = "linux")]
#[test]
fn an_inherited_descriptor_that_accepts_nothing_is_named() {
    use std::os::fd::{AsRawFd as _, OwnedFd};
    use std::os::unix::net::UnixStream;

    let connected = UnixStream::pair().expect("a pair").0;
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let file = tempfile::tempfile().expect("a file");
    for descriptor in [OwnedFd::from(connected), datagrams.into(), file.into()] {
        let number = descriptor.as_raw_fd();
        let failure = Listener::inherited(descriptor).expect_err("no listener");
        assert_eq!(failure.exit(), Exit::Bind);
        let text = failure.to_string();
        assert!(text.starts_with(&format!("cannot listen on descriptor {number}: ")), "{text}");
    }
}
