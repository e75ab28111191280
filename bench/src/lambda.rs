//! Lambda: conversion of events, and whole processes, each on its own Runtime API.

pub mod database;
mod events;
mod function;
mod runtime_api;

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::contest::{Contender, contest};
use crate::effort::Effort;
use crate::process;
use crate::results::{Contest, Turn};
pub use events::{Event, Source};
use function::Function;

/// Measures the conversion of an event into a request with a decoded body: ours and lambda_http's.
///
/// # Panics
/// If one of the two does not understand the event.
#[must_use]
pub fn conversion(event: &Event, effort: Effort) -> Contest {
    let text = event.json();
    let bytes = Bytes::from(text.clone());
    let body = event.body();
    let (ours, _) = anyhost_lambda::request_of(&bytes).expect("we understand it");
    assert_eq!(ours.uri().path(), events::PATH, "we find the path");
    assert_eq!(ours.body().len(), Some(body as u64), "we find the body");
    let theirs = lambda_http::request::from_str(&text).expect("lambda_http understands it");
    assert_eq!(theirs.body().len(), body, "lambda_http finds the body");
    contest(
        format!("event/{}", event.id()),
        format!("{event} into a request"),
        effort,
        vec![
            Contender::new("anyhost", |time| {
                again(time, || {
                    let _ = black_box(anyhost_lambda::request_of(black_box(&bytes)));
                })
            }),
            Contender::new("lambda_http", |time| {
                again(time, || {
                    let _ = black_box(lambda_http::request::from_str(black_box(&text)));
                })
            }),
        ],
    )
}

fn again(time: Duration, mut work: impl FnMut()) -> Turn {
    let own = process::cpu(std::process::id());
    let begun = Instant::now();
    let mut done = 0;
    loop {
        // Read the clock only every eighth time: it would add to the measured time.
        for _ in 0..8 {
            work();
        }
        done += 8;
        let took = begun.elapsed();
        if took >= time {
            let cpu_seconds = process::cpu(std::process::id()).zip(own).map(|(now, own)| now - own);
            return Turn { done, seconds: took.as_secs_f64(), cpu_seconds, ..Turn::default() };
        }
    }
}

/// The functions: ours, by its adapter alone and as a program for every host, and the smallest one of each peer's guide.
const FUNCTIONS: [(&str, &str); 4] = [
    ("anyhost-lambda", "function-ours"),
    ("anyhost, for every host", "function-every-host"),
    ("lambda_http", "function-peer"),
    ("poem-lambda", "function-poem"),
];

/// Measures a process from its start to its first poll of the Runtime API.
#[must_use]
pub fn first_poll(effort: Effort) -> Contest {
    let title = "a process from its start to its first poll of the Runtime API";
    contest("lambda/first-poll", title, effort, first_polls(&FUNCTIONS))
}

/// Measures the same for an actix-web application, beside an axum router on lambda_http.
#[must_use]
pub fn first_poll_hosted(effort: Effort) -> Contest {
    let title = "an actix-web application from its start to its first poll of the Runtime API";
    let functions = [("anyhost-actix", "function-actix"), ("lambda_http + axum", "function-axum")];
    contest("lambda/first-poll-hosted", title, effort, first_polls(&functions))
}

fn first_polls(functions: &[(&'static str, &'static str)]) -> Vec<Contender<'static>> {
    let contenders = functions.iter().copied().map(|(name, program)| {
        Contender::new(name, move |time| {
            let begun = Instant::now();
            let mut starts = crate::histogram::Histogram::default();
            let mut seconds = 0.0;
            while starts.count() == 0 || begun.elapsed() < time {
                let took = Function::start(program).first_poll();
                seconds += took.as_secs_f64();
                starts.add(took);
            }
            // Only the starts themselves, without the ends between them.
            Turn { seconds, ..starts.turn(begun.elapsed()) }
        })
    });
    contenders.collect()
}

/// One invocation after the other, from the event to the answer.
#[must_use]
pub fn invocations(event: &Event, effort: Effort) -> Contest {
    let json = event.json();
    let functions = FUNCTIONS.map(|(name, program)| (name, Function::start(program)));
    let contenders = functions.into_iter().map(|(name, mut function)| {
        let json = json.clone();
        Contender::new(name, move |time| function.invoke(&json, time))
    });
    contest(
        format!("lambda/invocation/{}", event.id()),
        format!("an invocation with {event}, over loopback"),
        effort,
        contenders.collect(),
    )
}
