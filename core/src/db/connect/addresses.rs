//! The addresses behind a server's name: where one swallows what is sent to it, another is connected to.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::select_ok;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// How long an attempt may take before its addresses are looked at, and how long one of them may take to let
/// a TCP connection in: the "Connection Attempt Delay" of RFC 8305.
const DELAY: Duration = Duration::from_millis(250);

/// How long one address may take when all are tried for a server that takes writes.
const TRY: Duration = Duration::from_secs(1);

/// How long it is left at the first that answers after none was one that takes writes.
const SEARCH_INTERVAL: Duration = Duration::from_secs(5);

/// The addresses of one server.
///
/// A driver goes through them one after the other and waits for each as long as the kernel does, which is
/// minutes. So an attempt that takes long is not left alone: where the address it hangs on lets nobody in and
/// another does, it is given up for that one, which later attempts begin with.
#[derive(Debug, Default)]
pub(super) struct Addresses(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What the name stood for when it was asked last.
    known: Vec<IpAddr>,
    /// The address to connect to; none: the name, as the driver goes about it.
    chosen: Option<IpAddr>,
    /// When all of them were last tried for a server that takes writes, and none was one.
    searched: Option<Instant>,
}

impl Addresses {
    /// Connects by name, or to the address that proved better: `connect` is given it. What fails for another
    /// reason than that a server is `full` is tried by name, which the server may want to be told. If what is found
    /// is not `wanted`, a server that takes no writes, the other addresses are tried too.
    pub(super) async fn connect<C, E, F>(
        &self,
        (name, port): (&str, u16),
        connect: impl Fn(Option<IpAddr>) -> F,
        full: impl Fn(&E) -> bool,
        wanted: impl Fn(&C) -> bool,
    ) -> Result<C, E>
    where
        F: Future<Output = Result<C, E>>,
    {
        let resolve = || async move {
            let found = lookup_host((name, port)).await.map(Vec::from_iter).unwrap_or_default();
            found.iter().map(SocketAddr::ip).collect()
        };
        let found = self.connect_among(&resolve, port, &connect, full).await?;
        if wanted(&found) { Ok(found) } else { self.search(found, resolve, connect, wanted).await }
    }

    /// Tries every address for what is wanted; another of what was found where none is.
    async fn search<C, E, F, R>(
        &self,
        found: C,
        resolve: impl Fn() -> R,
        connect: impl Fn(Option<IpAddr>) -> F,
        wanted: impl Fn(&C) -> bool,
    ) -> Result<C, E>
    where
        F: Future<Output = Result<C, E>>,
        R: Future<Output = Vec<IpAddr>>,
    {
        let searched = self.lock().searched;
        if searched.is_some_and(|searched| searched.elapsed() < SEARCH_INTERVAL) {
            return Ok(found);
        }
        let mut known: Vec<IpAddr> = resolve().await;
        known.dedup();
        if known.len() < 2 {
            return Ok(found);
        }
        // Never more than one at a time: it counts as one connection.
        drop(found);
        for address in known {
            if let Ok(Ok(other)) = timeout(TRY, connect(Some(address))).await
                && wanted(&other)
            {
                let mut state = self.lock();
                (state.chosen, state.searched) = (Some(address), None);
                return Ok(other);
            }
        }
        {
            let mut state = self.lock();
            (state.chosen, state.searched) = (None, Some(Instant::now()));
        }
        connect(None).await
    }

    /// Says that an attempt came to nothing in all of its time: the next one begins with another address, where
    /// there is one.
    pub(super) fn was_silent(&self) {
        let mut state = self.lock();
        let at = state.known.iter().position(|known| Some(*known) == state.chosen).unwrap_or(0);
        if state.known.len() > 1 {
            state.chosen = Some(state.known[(at + 1) % state.known.len()]);
        }
    }

    async fn connect_among<C, E, F, R>(
        &self,
        resolve: impl Fn() -> R,
        port: u16,
        connect: impl Fn(Option<IpAddr>) -> F,
        full: impl Fn(&E) -> bool,
    ) -> Result<C, E>
    where
        F: Future<Output = Result<C, E>>,
        R: Future<Output = Vec<IpAddr>>,
    {
        // Only as long as the name stands for it: the server may have moved.
        let chosen = self.lock().chosen;
        let chosen = match chosen {
            Some(chosen) => Some((chosen, resolve().await)),
            None => None,
        };
        let chosen =
            chosen.filter(|(chosen, known)| known.contains(chosen)).map(|(chosen, _)| chosen);
        let (address, outcome) = tokio::select! {
            biased;
            outcome = connect(chosen) => (chosen, outcome),
            better = self.better(resolve(), port, chosen) => {
                self.lock().chosen = Some(better);
                (Some(better), connect(Some(better)).await)
            }
        };
        match (address, outcome) {
            (Some(_), Err(error)) if !full(&error) => {
                self.lock().chosen = None;
                connect(None).await
            }
            (_, outcome) => outcome,
        }
    }

    /// An address that lets a connection in where the one that is tried does not. Where there is none this never
    /// ends.
    async fn better(
        &self,
        known: impl Future<Output = Vec<IpAddr>>,
        port: u16,
        chosen: Option<IpAddr>,
    ) -> IpAddr {
        tokio::time::sleep(DELAY).await;
        let mut order = known.await;
        self.lock().known.clone_from(&order);
        // By name the driver takes them in order.
        order.sort_by_key(|address| Some(*address) != chosen);
        let reaches =
            |address| async move { TcpStream::connect((address, port)).await.map(|_| address) };
        while order.len() > 1 {
            match timeout(DELAY, reaches(order.remove(0))).await {
                // A server that is slow is waited for.
                Ok(Ok(_)) => break,
                // One that refuses keeps nobody waiting: the driver has gone on to the next.
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

    /// Two addresses with one port: who connects to the first waits for ever, since its backlog is full.
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

    /// What a driver does by name, and with an address.
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
        assert_eq!(
            addresses.connect_among(resolve, port, connect, |_| false).await,
            Ok(Some(ANSWERS))
        );
        assert_eq!(tried.load(Ordering::SeqCst), 2);
        assert_eq!(
            addresses.connect_among(resolve, port, connect, |_| false).await,
            Ok(Some(ANSWERS))
        );
        assert_eq!(tried.load(Ordering::SeqCst), 3);
        // The name stands for another server now: it is asked again each time.
        let moved = || async { vec![SWALLOWS] };
        let by_name = addresses.connect_among(
            moved,
            port,
            |address| async move { Ok::<_, Infallible>(address) },
            |_| false,
        );
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
        assert_eq!(addresses.connect_among(resolve, port, slow, |_| false).await, Ok(None));
        // Where it was silent for the whole of an attempt the next one begins elsewhere.
        addresses.was_silent();
        assert_eq!(
            addresses.connect_among(resolve, port, slow, |_| false).await,
            Ok(Some(ANSWERS))
        );
        addresses.was_silent();
        assert_eq!(
            addresses.connect_among(resolve, port, slow, |_| false).await,
            Ok(Some(SWALLOWS))
        );
    }

    #[tokio::test]
    async fn what_an_address_refuses_is_tried_by_name_unless_the_server_is_full() {
        let addresses = Addresses::default();
        let resolve = || async { vec![SWALLOWS, ANSWERS] };
        let refuses =
            |address: Option<IpAddr>| async move { address.map_or(Ok(()), |_| Err("refused")) };
        let choose = || *addresses.lock() = State { chosen: Some(ANSWERS), ..State::default() };
        choose();
        assert_eq!(addresses.connect_among(resolve, 1, refuses, |_| true).await, Err("refused"));
        assert_eq!(addresses.connect_among(resolve, 1, refuses, |_| false).await, Ok(()));
        assert_eq!(addresses.lock().chosen, None);
    }

    #[tokio::test]
    async fn a_server_that_takes_writes_is_preferred_and_one_that_does_not_is_better_than_none() {
        let (addresses, tried) = (Addresses::default(), AtomicUsize::new(0));
        let resolve = || async { vec![SWALLOWS, ANSWERS] };
        let connect = |address: Option<IpAddr>| {
            tried.fetch_add(1, Ordering::SeqCst);
            // By name it is the first.
            async move { Ok::<_, Infallible>(address.unwrap_or(SWALLOWS)) }
        };
        let found = addresses.search(SWALLOWS, resolve, connect, |found| *found == ANSWERS).await;
        assert_eq!(found, Ok(ANSWERS));
        assert_eq!(addresses.lock().chosen, Some(ANSWERS));
        // Where none takes writes a reader does, and the next is not looked for at once.
        assert_eq!(addresses.search(SWALLOWS, resolve, connect, |_| false).await, Ok(SWALLOWS));
        assert_eq!(addresses.lock().chosen, None);
        let before = tried.load(Ordering::SeqCst);
        assert_eq!(addresses.search(SWALLOWS, resolve, connect, |_| false).await, Ok(SWALLOWS));
        assert_eq!(tried.load(Ordering::SeqCst), before);
        // A name with one address is left alone.
        let (addresses, one) = (Addresses::default(), || async { vec![SWALLOWS] });
        assert_eq!(addresses.search(SWALLOWS, one, connect, |_| false).await, Ok(SWALLOWS));
        assert_eq!(tried.load(Ordering::SeqCst), before);
    }
}
