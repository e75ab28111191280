//! The addresses behind a server's name: if one of them does not answer, another is tried.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::select_ok;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// How long an attempt may take before the other addresses are tried, and how long one address may take to accept a
/// TCP connection: the "Connection Attempt Delay" of RFC 8305.
const DELAY: Duration = Duration::from_millis(250);

/// The address to connect to; `None`: connect by name, as the driver does.
///
/// A driver goes through the addresses of a name one after the other and waits for each as long as the kernel does,
/// which is minutes. So if an attempt takes long, the other addresses are tried beside it: if one of them accepts, it
/// replaces the attempt, and later attempts begin with it.
#[derive(Debug, Default)]
pub(super) struct Addresses(Mutex<Option<IpAddr>>);

impl Addresses {
    /// Connects by name, or to the address that proved better, which is passed to `connect`.
    pub(super) async fn connect<C, E, F>(
        &self,
        (name, port): (&str, u16),
        connect: impl Fn(Option<IpAddr>) -> F,
    ) -> Result<C, E>
    where
        F: Future<Output = Result<C, E>>,
    {
        let resolve = || async move {
            let found = lookup_host((name, port)).await.map(Vec::from_iter).unwrap_or_default();
            found.iter().map(SocketAddr::ip).collect()
        };
        self.connect_among(resolve, port, connect).await
    }

    async fn connect_among<C, E, F, R>(
        &self,
        resolve: impl Fn() -> R,
        port: u16,
        connect: impl Fn(Option<IpAddr>) -> F,
    ) -> Result<C, E>
    where
        F: Future<Output = Result<C, E>>,
        R: Future<Output = Vec<IpAddr>>,
    {
        let mut chosen = *self.lock();
        // Only while the name still resolves to it: the server may have moved.
        if let Some(address) = chosen
            && !resolve().await.contains(&address)
        {
            chosen = None;
        }
        let (address, outcome) = tokio::select! {
            biased;
            outcome = connect(chosen) => (chosen, outcome),
            better = better(resolve(), port, chosen) => {
                *self.lock() = Some(better);
                (Some(better), connect(Some(better)).await)
            }
        };
        match outcome {
            // The server may need its name (SNI).
            Err(_) if address.is_some() => {
                *self.lock() = None;
                connect(None).await
            }
            outcome => outcome,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<IpAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns another address that accepts connections if the one that is tried does not; otherwise never returns.
async fn better(
    known: impl Future<Output = Vec<IpAddr>>,
    port: u16,
    chosen: Option<IpAddr>,
) -> IpAddr {
    tokio::time::sleep(DELAY).await;
    let mut order = known.await;
    // The driver, connecting by name, tries them in this order.
    order.sort_by_key(|address| Some(*address) != chosen);
    let reaches =
        |address| async move { TcpStream::connect((address, port)).await.map(|_| address) };
    while order.len() > 1 {
        match timeout(DELAY, reaches(order.remove(0))).await {
            // This address accepts connections, so the server is only slow: wait for it.
            Ok(Ok(_)) => break,
            // An address that refuses costs no time: the driver has tried the next one already.
            Ok(Err(_)) => {}
            Err(_) => {
                let others = order.drain(..).map(|address| Box::pin(reaches(address)));
                if let Ok((better, _)) = select_ok(others).await {
                    return better;
                }
            }
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    const SWALLOWS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
    const ANSWERS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

    /// Two addresses with one port: connecting to the first never ends, since its backlog is full.
    async fn two() -> (u16, impl Sized) {
        let socket = TcpSocket::new_v4().expect("a socket can be made");
        socket.bind((SWALLOWS, 0).into()).expect("a port is free");
        let full = socket.listen(0).expect("it can listen");
        let port = full.local_addr().expect("it is bound").port();
        let mut waiting = Vec::new();
        while let Ok(stream) = timeout(DELAY, TcpStream::connect((SWALLOWS, port))).await {
            waiting.push(stream);
        }
        (
            port,
            (
                TcpListener::bind((ANSWERS, port)).await.expect("the port is free there too"),
                full,
                waiting,
            ),
        )
    }

    /// Connecting by name, and to one address.
    async fn drive(port: u16, address: Option<IpAddr>) -> Result<Option<IpAddr>, Infallible> {
        let all = [(SWALLOWS, port).into(), (ANSWERS, port).into()];
        let connected = match address {
            Some(address) => TcpStream::connect((address, port)).await,
            None => TcpStream::connect(&all[..]).await,
        };
        connected.expect("somebody listens");
        Ok(address)
    }

    #[tokio::test]
    async fn an_address_that_swallows_everything_is_left_for_one_that_answers_and_begun_with_no_more()
     {
        let (port, _both) = two().await;
        timeout(4 * DELAY, drive(port, None))
            .await
            .expect_err("the driver alone waits for the first");
        let (addresses, tried) = (Addresses::default(), AtomicUsize::new(0));
        let connect = |address| {
            tried.fetch_add(1, Ordering::SeqCst);
            drive(port, address)
        };
        let resolve = || async { vec![SWALLOWS, ANSWERS] };
        assert_eq!(addresses.connect_among(resolve, port, connect).await, Ok(Some(ANSWERS)));
        assert_eq!(tried.load(Ordering::SeqCst), 2);
        assert_eq!(addresses.connect_among(resolve, port, connect).await, Ok(Some(ANSWERS)));
        assert_eq!(tried.load(Ordering::SeqCst), 3);
        // The name resolves to another server now: it is resolved again each time.
        let moved = || async { vec![SWALLOWS] };
        let by_name = addresses
            .connect_among(moved, port, |address| async move { Ok::<_, Infallible>(address) });
        assert_eq!(by_name.await, Ok(None));
    }

    #[tokio::test]
    async fn a_server_that_is_slow_is_waited_for_wherever_else_it_might_be() {
        let listener = TcpListener::bind((SWALLOWS, 0)).await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let _other = TcpListener::bind((ANSWERS, port)).await.expect("the port is free there too");
        let addresses = Addresses::default();
        let resolve = || async { vec![SWALLOWS, ANSWERS] };
        let slow = |address| async move {
            // Time passes: more than another address waits for its turn.
            tokio::time::sleep(4 * DELAY).await;
            Ok::<_, Infallible>(address)
        };
        assert_eq!(addresses.connect_among(resolve, port, slow).await, Ok(None));
    }
}
