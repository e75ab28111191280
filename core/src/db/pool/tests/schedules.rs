//! Random schedules against a model: waiting callers are served in order, the budget holds, and nothing is lost.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::*;
use crate::db::driver::ConnectErrorKind;

#[tokio::test(start_paused = true)]
async fn random_schedules_keep_order_budget_and_places() {
    let mut served = 0;
    for seed in 0..150 {
        served += schedule(seed).await;
    }
    assert!(served > 10_000, "only {served} were served");
}

/// What must be true of any schedule.
#[derive(Default)]
struct Model {
    /// The callers that wait, in order.
    line: VecDeque<u64>,
    next: u64,
    /// Connections that are lent, by their ids.
    lent: Vec<u32>,
    served: u64,
}

/// A caller in the model's line, which it leaves when it gives up.
struct Place<'m> {
    model: &'m Mutex<Model>,
    number: u64,
}

impl<'m> Place<'m> {
    fn join(model: &'m Mutex<Model>) -> Self {
        let mut this = model.lock().expect("no panic");
        let number = this.next;
        this.next += 1;
        this.line.push_back(number);
        Self { model, number }
    }

    fn served(&self, id: u32) {
        let mut model = self.model.lock().expect("no panic");
        assert!(!model.lent.contains(&id), "connection {id} is lent twice");
        model.lent.push(id);
        model.served += 1;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut model = self.model.lock().expect("no panic");
        model.line.retain(|other| *other != self.number);
    }
}

/// One caller's life: it comes, waits, may give up, works, and leaves the connection in some state.
async fn caller(pool: TestPool, model: Arc<Mutex<Model>>, seed: u64, in_order: bool) {
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_micros(random.u64(0..3000))).await;
        let patience = if random.u8(..4) == 0 { random.u64(0..20) } else { 60_000 };
        let place = Place::join(&model);
        let acquired = timeout(Duration::from_millis(patience), acquire(&pool)).await;
        let Ok(Ok(mut conn)) = acquired else { continue };
        if in_order {
            let first = model.lock().expect("no panic").line.front().copied();
            assert_eq!(first, Some(place.number), "a caller was overtaken");
        }
        let id = conn.id();
        place.served(id);
        drop(place);
        tokio::time::sleep(Duration::from_micros(random.u64(0..8000))).await;
        match random.u8(..20) {
            0 => conn.taint_with(Taint::Dirty),
            1 => conn.taint_with(Taint::Lost),
            2 => conn.taint_with(Taint::Outdated),
            _ => conn.work(),
        }
        model.lock().expect("no panic").lent.retain(|other| *other != id);
        drop(conn);
    }
}

async fn schedule(seed: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let server = Server::default();
    server.lock().connect_takes = Duration::from_micros(random.u64(0..20_000));
    server.lock().release_takes = Duration::from_micros(random.u64(0..20_000));
    let size = random.usize(1..6);
    let pool = pool(&server, size);
    let callers = random.usize(1..24);
    // In one thread the task that is woken first runs first, so the order can be seen if each wake is one task's.
    let in_order = size == 1;
    let model = Arc::new(Mutex::new(Model::default()));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let seed = random.u64(..);
        tasks.spawn(caller(Arc::clone(&pool), Arc::clone(&model), seed, in_order));
    }
    // What the server and the network do meanwhile.
    let troubles = tokio::spawn({
        let server = server.clone();
        async move {
            for _ in 0..random.usize(0..6) {
                tokio::time::sleep(Duration::from_millis(random.u64(0..60))).await;
                match random.u8(..3) {
                    0 => server.forget_all(),
                    1 => server.set(Behaviour::Fails(ConnectErrorKind::Full)),
                    _ => server.set(Behaviour::Fails(ConnectErrorKind::Unreachable)),
                }
                tokio::time::sleep(Duration::from_millis(random.u64(0..600))).await;
                server.set(Behaviour::Serves);
            }
            server.set(Behaviour::Serves);
        }
    });
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no caller panics");
        assert!(server.most_open() <= size, "seed {seed}: {} were open", server.most_open());
    }
    troubles.await.expect("no panic");
    settle().await;
    assert_whole(&pool, &server);
    let stats = pool.stats("test");
    assert_eq!(stats.created, stats.closed.total() + stats.open as u64, "seed {seed}: {stats:?}");
    // The pool still serves all callers.
    drop(all(&pool).await);
    model.lock().expect("no panic").served
}
