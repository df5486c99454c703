//! Lists of pictures, and what happens to them.

use super::support::*;
use super::*;

fn encoded(outcomes: &[Outcome]) -> Vec<u64> {
    outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Encoded { key, .. } => Some(key.picture.0),
            _ => None,
        })
        .collect()
}

#[test]
fn a_list_is_worked_off_in_order_with_reports() {
    let gate = Gate::open();
    let mut window = Window::with_fake(&gate);
    let id = window.send(Command::Encode(vec![job(3, "fake", 32), job(1, "fake", 64), job(2, "fake", 16)]));
    window.wait(|event| event.id == id && matches!(event.outcome, Outcome::Finished));
    let outcomes = window.take(id);
    assert_eq!(encoded(&outcomes), [3, 1, 2]);
    let reports = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Progress(progress) => Some((progress.stage.as_str(), progress.done, progress.total)),
        _ => None,
    });
    let reports: Vec<_> = reports.collect();
    assert_eq!(reports[0], ("encoding 1 of 3", 0, Some(12)));
    assert!(reports.is_sorted_by_key(|report| report.1) && reports.last().is_some_and(|last| last.1 == 11));
    let grids = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Encoded { features, .. } => Some(features.geometry.grid),
        _ => None,
    });
    assert_eq!(grids.collect::<Vec<_>>(), [(2, 2), (4, 4), (1, 1)]);
    let empty = window.send(Command::Encode(Vec::new()));
    assert!(matches!(window.finish(empty)[..], [Outcome::Finished]));
}

#[test]
fn cancelling_stops_within_a_block() {
    let gate = Gate::closed();
    let mut window = Window::with_fake(&gate);
    let id = window.send(Command::Encode(vec![job(1, "fake", 32), job(2, "fake", 32)]));
    gate.wait_for_arrivals(1);
    gate.allow(1);
    gate.wait_for_arrivals(2);
    window.take(id);
    window.dispatcher.cancel(id);
    gate.allow(1);
    assert!(matches!(window.finish(id)[..], [Outcome::Cancelled]), "nothing but that after the request");
    assert_eq!(gate.arrivals(), 2, "the third block never began");
    window.dispatcher.cancel(id);
    gate.allow(1000);
    let again = window.send(Command::Encode(vec![job(1, "fake", 32)]));
    assert_eq!(encoded(&window.finish(again)), [1]);
    assert!(window.take(id).is_empty());
}

#[test]
fn a_newer_list_keeps_the_picture_in_work() {
    let gate = Gate::closed();
    let mut window = Window::with_fake(&gate);
    let older = window.send(Command::Encode(vec![job(1, "fake", 32), job(2, "fake", 32), job(3, "fake", 32)]));
    gate.wait_for_arrivals(1);
    gate.allow(1);
    gate.wait_for_arrivals(2);
    let newer = window.send(Command::Encode(vec![job(3, "fake", 32), job(1, "fake", 32), job(4, "fake", 32)]));
    assert!(matches!(window.finish(older)[..], [Outcome::Cancelled]));
    gate.allow(1000);
    window.wait(|event| event.id == newer && is_last(&event.outcome));
    let outcomes = window.take(newer);
    assert_eq!(encoded(&outcomes), [1, 3, 4]);
    assert!(matches!(outcomes.last(), Some(Outcome::Finished)));
    assert_eq!(gate.arrivals(), 3 * Fake::DEPTH, "the first went on where it was");
    let totals = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Progress(progress) => progress.total,
        _ => None,
    });
    assert!(totals.eq(std::iter::repeat_n(12, outcomes.len() - 4)), "three pictures of four blocks");
    assert!(window.take(older).is_empty(), "nothing after the last event");
}

#[test]
fn a_newer_list_without_it_stops_the_picture_in_work() {
    for newer in [job(2, "fake", 32), job(1, "fake", 64)] {
        let gate = Gate::closed();
        let mut window = Window::with_fake(&gate);
        let older = window.send(Command::Encode(vec![job(1, "fake", 32), job(2, "fake", 32)]));
        gate.wait_for_arrivals(1);
        let wanted = newer.key.picture.0;
        let newer = window.send(Command::Encode(vec![newer]));
        gate.allow(1000);
        assert!(matches!(window.finish(older)[..], [Outcome::Cancelled]));
        assert_eq!(encoded(&window.finish(newer)), [wanted]);
        assert_eq!(gate.arrivals(), 1 + Fake::DEPTH);
    }
}

#[test]
fn a_panic_costs_one_picture() {
    let gate = Gate::open();
    let mut window = Window::with_fake(&gate);
    let jobs = vec![job(1, "fake", 32), job(2, "fake", Fake::PANICS), job(3, "fake", 32)];
    let id = window.send(Command::Encode(jobs));
    let outcomes = window.finish(id);
    assert_eq!(encoded(&outcomes), [1, 3]);
    let [_, Outcome::EncodeFailed { key, message }, _, Outcome::Finished] = &outcomes[..] else {
        panic!("{outcomes:?}")
    };
    assert_eq!(key.picture, PictureId(2));
    assert!(message.contains("breaks the model"), "{message}");
}

#[test]
fn another_model_stops_the_list_of_the_one_before() {
    let gate = Gate::closed();
    let mut window = Window::with_fake(&gate);
    let encode = window.send(Command::Encode(vec![job(1, "fake", 32), job(2, "fake", 32)]));
    gate.wait_for_arrivals(1);
    let load = window.send(Command::LoadModel(choice("other")));
    let next = window.send(Command::Encode(vec![job(1, "other", 32), job(2, "fake", 32)]));
    gate.allow(1000);
    assert!(matches!(window.finish(encode)[..], [Outcome::Cancelled]));
    assert!(matches!(window.finish(load)[..], [Outcome::ModelReady(_)]));
    let outcomes = window.finish(next);
    assert_eq!(encoded(&outcomes), [1]);
    let [_, Outcome::EncodeFailed { key, message }, Outcome::Finished] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert!(*key == job(2, "fake", 32).key && message.contains("another model"), "{message}");
}

#[test]
fn a_size_that_does_not_fit_is_said() {
    let gate = Gate::open();
    let mut window = Window::with_fake(&gate);
    let mut bad = job(1, "fake", 32);
    bad.key.size = crate::image::SizeRule::Exact { width: 33, height: 32 };
    let id = window.send(Command::Encode(vec![bad]));
    let outcomes = window.finish(id);
    let [Outcome::EncodeFailed { message, .. }, Outcome::Finished] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert!(message.contains("33x32"), "{message}");
}
