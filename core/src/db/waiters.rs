//! Those who wait for a connection: in order, each with what it has been given.

use std::collections::VecDeque;
use std::task::Waker;

use slab::Slab;
use tokio::task;

/// How many in a row may go to somebody on their own worker while somebody elsewhere waits for longer.
const FAVOURS: usize = 15;

/// Those who wait, in a line for each worker and one for everybody else.
///
/// Whoever has something to give and whoever waits meet here, under the lock that this is kept behind: so what
/// comes back is either given to somebody or laid down before the next one joins, and nobody is forgotten.
#[derive(Debug)]
pub(super) struct Waiters<T> {
    places: Slab<Waiter<T>>,
    /// That of everybody else is the last.
    lines: Box<[Line]>,
    arrivals: u64,
}

#[derive(Debug, Default)]
struct Line {
    /// Who stands in it, by arrival.
    tickets: VecDeque<Ticket>,
    /// How many its own worker has given it since somebody elsewhere had a turn.
    favours: usize,
}

#[derive(Clone, Copy, Debug)]
struct Ticket {
    arrival: u64,
    place: usize,
}

#[derive(Debug)]
struct Waiter<T> {
    line: usize,
    arrival: u64,
    in_line: bool,
    task: Option<task::Id>,
    has: Option<T>,
    /// To look around.
    called: bool,
    waker: Option<Waker>,
}

/// What became of somebody who waits.
#[derive(Debug)]
pub(super) enum Turn<T> {
    /// This was given to it, and it is in no line any more.
    Has(T),
    /// It is to look around: something has changed for all who wait.
    Called,
    /// Nothing yet. It is woken by the waker it came with, in the place of this one.
    Waits(Option<Waker>),
}

/// What somebody leaves behind who waits no longer; to be dropped without the lock, since a waker may drop a task.
#[derive(Debug)]
pub(super) struct Left<T> {
    /// What it was given and has not taken.
    pub(super) has: Option<T>,
    _waker: Option<Waker>,
}

impl<T> Waiters<T> {
    /// Nobody, with a line for so many workers.
    pub(super) fn new(workers: usize) -> Self {
        let lines = (0..=workers).map(|_| Line::default()).collect();
        Self { places: Slab::new(), lines, arrivals: 0 }
    }

    /// Takes a place at the end of a worker's line, or of everybody else's.
    pub(super) fn join(&mut self, worker: Option<usize>, task: Option<task::Id>) -> usize {
        let line = worker.unwrap_or(self.lines.len() - 1);
        let arrival = self.arrivals;
        self.arrivals += 1;
        let waiter =
            Waiter { line, arrival, in_line: true, task, has: None, called: false, waker: None };
        let place = self.places.insert(waiter);
        self.lines[line].tickets.push_back(Ticket { arrival, place });
        place
    }

    /// Takes the old place in the line again: what was given was no good.
    pub(super) fn rejoin(&mut self, place: usize) {
        let waiter = &mut self.places[place];
        waiter.in_line = true;
        let Waiter { line, arrival, .. } = *waiter;
        let tickets = &mut self.lines[line].tickets;
        let at = tickets.partition_point(|ticket| ticket.arrival < arrival);
        tickets.insert(at, Ticket { arrival, place });
    }

    /// Gives something to whoever's turn it is: somebody on the worker it belongs to, where it does, else who
    /// has waited longest. The waker of who has it now, or the thing where nobody waits.
    pub(super) fn give(&mut self, worker: Option<usize>, thing: T) -> Result<Option<Waker>, T> {
        let Some(line) = self.next_line(worker) else { return Err(thing) };
        let ticket =
            self.lines[line].tickets.pop_front().expect("a line that has a turn has people");
        let waiter = &mut self.places[ticket.place];
        waiter.has = Some(thing);
        waiter.in_line = false;
        Ok(waiter.waker.take())
    }

    /// The line whose first has the turn.
    fn next_line(&mut self, worker: Option<usize>) -> Option<usize> {
        let first = |line: &Line| line.tickets.front().map(|ticket| ticket.arrival);
        let fronts = self.lines.iter().enumerate();
        let (eldest, _) = fronts
            .filter_map(|(number, line)| Some((number, first(line)?)))
            .min_by_key(|(_, arrival)| *arrival)?;
        let Some(own) = worker.filter(|own| *own != eldest) else { return Some(eldest) };
        let line = &mut self.lines[own];
        if line.tickets.is_empty() || line.favours == FAVOURS {
            line.favours = 0;
            return Some(eldest);
        }
        line.favours += 1;
        Some(own)
    }

    /// What became of this one.
    pub(super) fn look(&mut self, place: usize, waker: &Waker) -> Turn<T> {
        let waiter = &mut self.places[place];
        if let Some(thing) = waiter.has.take() {
            return Turn::Has(thing);
        }
        if std::mem::take(&mut waiter.called) {
            return Turn::Called;
        }
        match &waiter.waker {
            Some(known) if known.will_wake(waker) => Turn::Waits(None),
            _ => Turn::Waits(waiter.waker.replace(waker.clone())),
        }
    }

    /// Gives up a place.
    pub(super) fn leave(&mut self, place: usize) -> Left<T> {
        let Waiter { line, arrival, in_line, has, waker, .. } = self.places.remove(place);
        if in_line {
            let tickets = &mut self.lines[line].tickets;
            let at = tickets.partition_point(|ticket| ticket.arrival < arrival);
            tickets.remove(at);
        }
        Left { has, _waker: waker }
    }

    /// Calls everybody; who has to be woken.
    pub(super) fn call(&mut self) -> Vec<Waker> {
        let call = |(_, waiter): (usize, &mut Waiter<T>)| {
            waiter.called = true;
            waiter.waker.take()
        };
        self.places.iter_mut().filter_map(call).collect()
    }

    /// How many stand in a line.
    pub(super) fn in_line(&self) -> usize {
        self.lines.iter().map(|line| line.tickets.len()).sum()
    }

    /// How many have a place, in a line or beside it with what they were given.
    pub(super) fn count(&self) -> usize {
        self.places.len()
    }

    /// The tasks that wait.
    pub(super) fn tasks(&self) -> impl Iterator<Item = task::Id> {
        self.places.iter().filter_map(|(_, waiter)| waiter.task)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn has<T>(waiters: &mut Waiters<T>, place: usize) -> Option<T> {
        match waiters.look(place, Waker::noop()) {
            Turn::Has(thing) => Some(thing),
            Turn::Called | Turn::Waits(_) => None,
        }
    }

    #[test]
    fn what_comes_back_goes_to_who_has_waited_longest() {
        let mut waiters = Waiters::new(2);
        assert!(matches!(waiters.give(None, 0), Err(0)), "nobody waits");
        let places = [Some(1), None, Some(0)].map(|worker| waiters.join(worker, None));
        for (turn, place) in places.into_iter().enumerate() {
            assert!(waiters.give(None, turn).is_ok());
            assert_eq!(has(&mut waiters, place), Some(turn));
        }
        assert!(waiters.give(None, 3).is_err());
        assert_eq!((waiters.in_line(), waiters.count()), (0, 3));
    }

    #[test]
    fn a_worker_serves_its_own_and_every_sixteenth_time_whoever_waits_longest() {
        let mut waiters = Waiters::new(2);
        let elsewhere = waiters.join(Some(1), None);
        let own: Vec<_> = (0..20).map(|_| waiters.join(Some(0), None)).collect();
        for turn in 0..17 {
            assert!(waiters.give(Some(0), turn).is_ok());
        }
        assert_eq!(has(&mut waiters, elsewhere), Some(FAVOURS));
        let served: Vec<_> = own.iter().filter_map(|place| has(&mut waiters, *place)).collect();
        let expected: Vec<_> = (0..17).filter(|turn| *turn != FAVOURS).collect();
        assert_eq!(served, expected);
    }

    #[test]
    fn who_has_gone_takes_nothing_along() {
        let mut waiters = Waiters::new(0);
        let [first, second, third] = [(); 3].map(|()| waiters.join(None, None));
        assert!(waiters.leave(second).has.is_none());
        assert!(waiters.give(None, 'a').is_ok());
        assert!(waiters.give(None, 'b').is_ok());
        assert_eq!(waiters.leave(first).has, Some('a'), "it comes back to whoever gave it");
        assert_eq!(has(&mut waiters, third), Some('b'));
        assert!(waiters.leave(third).has.is_none());
        assert_eq!((waiters.in_line(), waiters.count()), (0, 0));
    }

    #[test]
    fn who_was_given_nothing_of_use_has_the_next_turn() {
        let mut waiters = Waiters::new(0);
        let [first, second, third] = [(); 3].map(|()| waiters.join(None, None));
        for thing in ['a', 'b'] {
            assert!(waiters.give(None, thing).is_ok());
        }
        for place in [second, first] {
            assert!(has(&mut waiters, place).is_some());
            waiters.rejoin(place);
        }
        for (place, thing) in [(first, 'c'), (second, 'd'), (third, 'e')] {
            assert!(waiters.give(None, thing).is_ok());
            assert_eq!(has(&mut waiters, place), Some(thing));
        }
    }

    #[test]
    fn who_is_given_something_or_called_is_woken_once() {
        let mut waiters = Waiters::new(0);
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let [first, second] = [(); 2].map(|()| waiters.join(None, None));
        for place in [first, second, second] {
            assert!(matches!(waiters.look(place, &waker), Turn::Waits(None)));
        }
        waiters.give(None, 1).expect("somebody waits").expect("it has a waker").wake();
        waiters.call().into_iter().for_each(Waker::wake);
        assert_eq!(bell.0.load(Ordering::Relaxed), 2);
        assert!(matches!(waiters.look(first, &waker), Turn::Has(1)));
        assert!(matches!(waiters.look(second, &waker), Turn::Called));
        assert!(matches!(waiters.look(second, &waker), Turn::Waits(None)));
    }
}
