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
    /// has waited longest in a line that is open. The waker of who has it now, or the thing where nobody is there
    /// to take it.
    pub(super) fn give(
        &mut self,
        worker: Option<usize>,
        thing: T,
        is_open: impl Fn(usize) -> bool,
    ) -> Result<Option<Waker>, T> {
        let Some(line) = self.next_line(worker, is_open) else { return Err(thing) };
        let ticket =
            self.lines[line].tickets.pop_front().expect("a line that has a turn has people");
        let waiter = &mut self.places[ticket.place];
        waiter.has = Some(thing);
        waiter.in_line = false;
        Ok(waiter.waker.take())
    }

    /// The line whose first has the turn.
    fn next_line(
        &mut self,
        worker: Option<usize>,
        is_open: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let eldest_where = |fits: &dyn Fn(usize) -> bool| {
            let fronts = self.lines.iter().enumerate().filter(|(number, _)| fits(*number));
            let arrival = |line: &Line| line.tickets.front().map(|ticket| ticket.arrival);
            let fronts = fronts.filter_map(|(number, line)| Some((arrival(line)?, number)));
            fronts.min().map(|(_, number)| number)
        };
        // Nearly always it is open, and no other need be looked at.
        let eldest = match eldest_where(&|_| true)? {
            eldest if is_open(eldest) => Some(eldest),
            _ => eldest_where(&is_open),
        };
        let Some(own) = worker.filter(|own| Some(*own) != eldest) else { return eldest };
        let line = &mut self.lines[own];
        if eldest.is_none() || line.tickets.is_empty() || line.favours == FAVOURS {
            line.favours = 0;
            return eldest;
        }
        line.favours += 1;
        Some(own)
    }

    /// Takes what was given to people of this line and not picked up; they stand where they stood.
    pub(super) fn take_back(&mut self, line: usize) -> Vec<T> {
        let theirs = |(_, waiter): &(usize, &mut Waiter<T>)| waiter.line == line;
        let take = |(place, waiter): (usize, &mut Waiter<T>)| Some((place, waiter.has.take()?));
        let taken: Vec<_> = self.places.iter_mut().filter(theirs).filter_map(take).collect();
        let back = |(place, thing)| {
            self.rejoin(place);
            thing
        };
        taken.into_iter().map(back).collect()
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

    /// How many have been given something that they have not picked up.
    pub(super) fn given(&self) -> usize {
        self.places.iter().filter(|(_, waiter)| waiter.has.is_some()).count()
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

    fn everywhere(_line: usize) -> bool {
        true
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
        assert!(matches!(waiters.give(None, 0, everywhere), Err(0)), "nobody waits");
        let places = [Some(1), None, Some(0)].map(|worker| waiters.join(worker, None));
        for (turn, place) in places.into_iter().enumerate() {
            assert!(waiters.give(None, turn, everywhere).is_ok());
            assert_eq!(has(&mut waiters, place), Some(turn));
        }
        assert!(waiters.give(None, 3, everywhere).is_err());
        assert_eq!((waiters.in_line(), waiters.count()), (0, 3));
    }

    #[test]
    fn a_worker_serves_its_own_and_every_sixteenth_time_whoever_waits_longest() {
        let mut waiters = Waiters::new(2);
        let elsewhere = waiters.join(Some(1), None);
        let own: Vec<_> = (0..20).map(|_| waiters.join(Some(0), None)).collect();
        for turn in 0..17 {
            assert!(waiters.give(Some(0), turn, everywhere).is_ok());
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
        assert!(waiters.give(None, 'a', everywhere).is_ok());
        assert!(waiters.give(None, 'b', everywhere).is_ok());
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
            assert!(waiters.give(None, thing, everywhere).is_ok());
        }
        for place in [second, first] {
            assert!(has(&mut waiters, place).is_some());
            waiters.rejoin(place);
        }
        for (place, thing) in [(first, 'c'), (second, 'd'), (third, 'e')] {
            assert!(waiters.give(None, thing, everywhere).is_ok());
            assert_eq!(has(&mut waiters, place), Some(thing));
        }
    }

    #[test]
    fn a_line_that_is_closed_is_passed_over_and_gives_back_what_it_has() {
        let mut waiters = Waiters::new(2);
        let [first, second] = [(); 2].map(|()| waiters.join(Some(0), None));
        let third = waiters.join(Some(1), None);
        assert!(waiters.give(Some(0), 'a', everywhere).is_ok());
        let open = |line| line != 0;
        assert!(waiters.give(Some(1), 'b', open).is_ok());
        assert_eq!(has(&mut waiters, third), Some('b'));
        assert!(matches!(waiters.give(None, 'c', open), Err('c')), "nobody is there to take it");
        assert_eq!(waiters.given(), 1);
        assert_eq!(waiters.take_back(0), ['a']);
        for (place, thing) in [(first, 'd'), (second, 'e')] {
            assert!(waiters.give(Some(0), thing, everywhere).is_ok());
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
        waiters.give(None, 1, everywhere).expect("somebody waits").expect("it has a waker").wake();
        waiters.call().into_iter().for_each(Waker::wake);
        assert_eq!(bell.0.load(Ordering::Relaxed), 2);
        assert!(matches!(waiters.look(first, &waker), Turn::Has(1)));
        assert!(matches!(waiters.look(second, &waker), Turn::Called));
        assert!(matches!(waiters.look(second, &waker), Turn::Waits(None)));
    }
}
