//! The addresses behind a server's name: if one swallows what is sent to it, the next attempt goes to another.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::lookup_host;

/// Which of a server's addresses an attempt begins with.
///
/// A driver goes through them one after the other and waits for each as long as the kernel does, which is
/// minutes: longer than any attempt may take, so that a first address that swallows everything hides the others.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// How many attempts have got no answer at all. None: the driver connects by name.
    silent: AtomicUsize,
}

impl Addresses {
    /// The address to connect to, or `None` for the name. The name is looked up each time: the server may have
    /// moved.
    pub(super) async fn choose(&self, (name, port): (&str, u16)) -> Option<IpAddr> {
        let silent = self.silent.load(Ordering::Relaxed);
        if silent == 0 {
            return None;
        }
        let known: Vec<SocketAddr> = lookup_host((name, port)).await.ok()?.collect();
        (known.len() > 1).then(|| known[silent % known.len()].ip())
    }

    /// Notes that an attempt got no answer in all of its time: the next one begins with another address.
    pub(super) fn was_silent(&self) {
        self.silent.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that an address answered with an error: the server may want to be told its name.
    pub(super) fn was_refused(&self) {
        self.silent.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_name_serves_until_it_is_silent_and_again_after_a_refusal() {
        let (addresses, place) = (Addresses::default(), ("127.0.0.1", 1));
        assert_eq!(addresses.choose(place).await, None);
        addresses.was_silent();
        assert_eq!(addresses.choose(place).await, None, "it has one address");
        addresses.was_refused();
        assert_eq!(addresses.choose(("a.name.that.is.not.looked.up", 1)).await, None);
    }
}
