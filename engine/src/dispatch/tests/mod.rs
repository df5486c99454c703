//! Commands through all threads. A fake model waits at every block until the test lets it go on.

mod encoding;
mod files;
mod retrieval;
#[path = "../../../tests/hub/server.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;
mod support;
mod tools;
mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::Error;
use crate::encoder::ModelSource;
use crate::hub::HubError;
use support::{Fake, Gate, Window, choice, job};

#[test]
fn only_the_newest_of_a_kind_counts() {
    let gate = Gate::closed();
    let of_loader = gate.clone();
    let mut window = Window::with_loader(move |choice, _| {
        of_loader.step();
        Ok(Fake::new(&Gate::open()).encoder(choice))
    });
    let first = window.send(Command::LoadModel(choice("first")));
    gate.wait_for_arrivals(1);
    let second = window.send(Command::LoadModel(choice("second")));
    let third = window.send(Command::LoadModel(choice("third")));
    assert!(matches!(window.finish(second)[..], [Outcome::Cancelled]), "it had not begun");
    gate.allow(2);
    assert!(matches!(window.finish(first)[..], [Outcome::Cancelled]));
    let outcomes = window.finish(third);
    let [Outcome::ModelReady(info)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!((info.choice.clone(), info.depth, info.stride), (choice("third"), 4, 16));
    assert_eq!(gate.arrivals(), 2, "the second was never loaded");
}

#[test]
fn a_load_that_is_not_wanted_any_more_stops() {
    let gate = Gate::closed();
    let of_loader = gate.clone();
    let mut window = Window::with_loader(move |choice, watch| {
        if *choice == support::choice("slow") {
            of_loader.step();
            watch.cancel.check()?;
            of_loader.step();
        }
        Ok(Fake::new(&Gate::open()).encoder(choice))
    });
    let slow = window.send(Command::LoadModel(choice("slow")));
    gate.wait_for_arrivals(1);
    let other = window.send(Command::LoadModel(choice("other")));
    gate.allow(2);
    assert!(matches!(window.finish(slow)[..], [Outcome::Cancelled]));
    assert!(matches!(window.finish(other)[..], [Outcome::ModelReady(_)]));
    assert_eq!(gate.arrivals(), 1, "the loader went on");
}

#[test]
fn a_panic_while_loading_is_survived() {
    let mut window = Window::with_loader(|choice, _| match &choice.source {
        ModelSource::Named(name) if name == "bad" => panic!("broken\nloader"),
        _ => Ok(Fake::new(&Gate::open()).encoder(choice)),
    });
    let bad = window.send(Command::LoadModel(choice("bad")));
    let outcomes = window.finish(bad);
    let [Outcome::Failed(failure)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert!(failure.message.contains("broken loader"), "{}", failure.message);
    let encode = window.send(Command::Encode(vec![job(1, "bad", 32)]));
    let outcomes = window.finish(encode);
    let [Outcome::EncodeFailed { message, .. }, Outcome::Finished] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert!(message.contains("no model"), "{message}");
    let good = window.send(Command::LoadModel(choice("good")));
    assert!(matches!(window.finish(good)[..], [Outcome::ModelReady(_)]));
}

#[test]
fn failures_say_what_helps() {
    let mut window = Window::with_loader(|choice, _| {
        Err(match &choice.source {
            ModelSource::Named(name) if name == "vits16" => HubError::NotPresent { name: name.clone() }.into(),
            _ => Error::Device { device: "cuda:1".into(), reason: "it is not there".into() },
        })
    });
    let mut remedy = |choice: ModelChoice| {
        let id = window.send(Command::LoadModel(choice));
        match &window.finish(id)[..] {
            [Outcome::Failed(failure)] => failure.clone(),
            other => panic!("{other:?}"),
        }
    };
    let missing = remedy(choice("vits16"));
    assert_eq!(missing.remedy, Some(Remedy::Download("vits16".into())));
    assert!(!missing.message.contains('`'), "no commands in the window: {}", missing.message);
    let cuda = ModelChoice { device: crate::backend::DeviceChoice::Cuda(1), ..choice("demo") };
    assert_eq!(remedy(cuda).remedy, Some(Remedy::UseCpu));
    assert_eq!(remedy(choice("demo")).remedy, None, "it is the processor already");
}

#[test]
fn dropping_does_not_wait_and_wakes_nobody_afterwards() {
    let gate = Gate::closed();
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&wakes);
    let wake: Wake = Arc::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let fake = gate.clone();
    let dispatcher = Dispatcher::with_loader(None, wake, move |choice, _| Ok(Fake::new(&fake).encoder(choice)));
    dispatcher.send(Command::LoadModel(choice("fake")));
    dispatcher.send(Command::Encode(vec![job(1, "fake", 32), job(2, "fake", 32)]));
    gate.wait_for_arrivals(1);
    let start = Instant::now();
    drop(dispatcher);
    assert!(start.elapsed() < Duration::from_secs(1));
    let before = wakes.load(Ordering::Relaxed);
    gate.allow(1000);
    gate.wait_for_end();
    thread::sleep(Duration::from_millis(20));
    assert_eq!((gate.arrivals(), wakes.load(Ordering::Relaxed)), (1, before), "stopped at the next block");
}

#[test]
fn every_event_wakes() {
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&wakes);
    let wake: Wake = Arc::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let dispatcher = Dispatcher::with_loader(None, wake, |choice, _| Ok(Fake::new(&Gate::open()).encoder(choice)));
    dispatcher.send(Command::LoadModel(choice("fake")));
    while wakes.load(Ordering::Relaxed) == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    assert!(matches!(dispatcher.events()[..], [Event { outcome: Outcome::ModelReady(_), .. }]));
}
