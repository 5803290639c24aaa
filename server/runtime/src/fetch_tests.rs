#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

const P: PartitionKey = PartitionKey(7);

fn reader(task: u64) -> ReaderId {
    ReaderId { task, input: 0 }
}

fn lane(lane: usize) -> FetchKey {
    FetchKey { lane, partition: P }
}

#[test]
fn readers_at_one_place_share_a_fetch() {
    let mut table = FetchTable::new(2);
    table.add(reader(1), P, 10);
    table.add(reader(2), P, 10);
    assert_eq!(table.plan(), [Action::Start(lane(0), 10)]);
    let mut to = Vec::new();
    table.arrived(lane(0), 15, &mut to);
    assert_eq!(
        to,
        [
            Delivery {
                reader: reader(1),
                from: 10
            },
            Delivery {
                reader: reader(2),
                from: 10
            }
        ]
    );
    assert_eq!(table.plan(), []);
    table.remove(reader(1));
    assert_eq!(table.plan(), []);
    table.remove(reader(2));
    assert_eq!(table.plan(), [Action::Stop(lane(0))]);
}

#[test]
fn a_lagging_reader_has_its_own_fetch_until_it_has_caught_up() {
    let mut table = FetchTable::new(2);
    table.add(reader(1), P, 100);
    table.plan();
    table.add(reader(2), P, 40);
    assert_eq!(table.plan(), [Action::Start(lane(1), 40)]);
    let mut to = Vec::new();
    table.arrived(lane(1), 80, &mut to);
    table.reconsider();
    assert_eq!(table.plan(), []);
    table.arrived(lane(1), 120, &mut to);
    table.reconsider();
    assert_eq!(table.plan(), [Action::Stop(lane(1))]);
    // The main fetch brings 100..130: the one that is ahead skips what it has had.
    to.clear();
    table.arrived(lane(0), 130, &mut to);
    to.sort_by_key(|d| d.reader);
    assert_eq!(
        to,
        [
            Delivery {
                reader: reader(1),
                from: 100
            },
            Delivery {
                reader: reader(2),
                from: 120
            }
        ]
    );
}

#[test]
fn with_no_lane_left_the_last_one_goes_back() {
    let mut table = FetchTable::new(1);
    table.add(reader(1), P, 100);
    table.plan();
    table.add(reader(2), P, 40);
    assert_eq!(
        table.plan(),
        [Action::Stop(lane(0)), Action::Start(lane(0), 40)]
    );
    let mut to = Vec::new();
    table.arrived(lane(0), 90, &mut to);
    assert_eq!(
        to,
        [Delivery {
            reader: reader(2),
            from: 40
        }]
    );
}

#[test]
fn a_full_reader_is_left_behind_and_a_fetch_of_full_ones_is_held() {
    let mut table = FetchTable::new(2);
    table.add(reader(1), P, 0);
    table.add(reader(2), P, 0);
    table.plan();
    table.set_full(reader(1), true);
    let mut to = Vec::new();
    table.arrived(lane(0), 10, &mut to);
    assert_eq!(
        to,
        [Delivery {
            reader: reader(2),
            from: 0
        }]
    );
    table.set_full(reader(2), true);
    assert_eq!(table.plan(), [Action::Hold(lane(0))]);
    table.set_full(reader(1), false);
    assert_eq!(table.plan(), [Action::Start(lane(1), 0)]);
    table.set_full(reader(2), false);
    assert_eq!(table.plan(), [Action::Release(lane(0))]);
}

#[test]
fn the_end_is_told_to_those_who_are_there() {
    let mut table = FetchTable::new(2);
    table.add(reader(1), P, 0);
    table.plan();
    assert!(!table.is_caught_up(reader(1)));
    let mut to = Vec::new();
    table.ended(lane(0), 5, &mut to);
    assert_eq!(to, [reader(1)]);
    assert_eq!(table.position(reader(1)), Some(5));
    table.add(reader(2), P, 5);
    assert_eq!(table.plan(), []);
    assert!(table.is_caught_up(reader(2)));
    table.arrived(lane(0), 6, &mut Vec::new());
    assert!(!table.is_caught_up(reader(1)));
}

#[derive(Debug, Clone)]
enum Event {
    Add(u64, i64),
    Reset(u64, i64),
    Full(u64, bool),
    Plan,
    Records(usize, i64),
    End(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let task = 0u64..4;
    let at = 0i64..50;
    prop_oneof![
        2 => (task.clone(), at.clone()).prop_map(|(t, o)| Event::Add(t, o)),
        1 => (task.clone(), at).prop_map(|(t, o)| Event::Reset(t, o)),
        2 => (task, any::<bool>()).prop_map(|(t, f)| Event::Full(t, f)),
        3 => Just(Event::Plan),
        5 => (0usize..2, 1i64..9).prop_map(|(l, n)| Event::Records(l, n)),
        1 => (0usize..2).prop_map(Event::End),
    ]
}

proptest! {
    /// Whatever happens, each reader sees every offset from where it was put, once and in order.
    #[test]
    fn nobody_misses_or_repeats_a_record(events in prop::collection::vec(event(), 1..80)) {
        let mut table = FetchTable::new(2);
        // The consumers: next offset of each lane that reads.
        let mut lanes: [Option<i64>; 2] = [None, None];
        let mut expected: BTreeMap<ReaderId, i64> = BTreeMap::new();
        for event in events {
            match event {
                Event::Add(task, offset) => {
                    table.add(reader(task), P, offset);
                    expected.insert(reader(task), offset);
                }
                Event::Reset(task, offset) if expected.contains_key(&reader(task)) => {
                    table.reset(reader(task), offset);
                    expected.insert(reader(task), offset);
                }
                Event::Reset(..) => {}
                Event::Full(task, full) => table.set_full(reader(task), full),
                Event::Plan => {
                    table.reconsider();
                    for action in table.plan() {
                        match action {
                            Action::Start(key, at) => {
                                prop_assert!(lanes[key.lane].is_none());
                                lanes[key.lane] = Some(at);
                            }
                            Action::Stop(key) => {
                                prop_assert!(lanes[key.lane].take().is_some());
                            }
                            Action::Hold(_) | Action::Release(_) => {}
                        }
                    }
                }
                Event::Records(index, count) => {
                    let Some(first) = lanes[index] else { continue };
                    lanes[index] = Some(first + count);
                    let mut to = Vec::new();
                    table.arrived(lane(index), first + count, &mut to);
                    for delivery in to {
                        let next = expected.get_mut(&delivery.reader).unwrap();
                        prop_assert_eq!(delivery.from, *next);
                        prop_assert!(first <= *next, "records before the batch are missing");
                        *next = first + count;
                    }
                }
                Event::End(index) => {
                    let Some(at) = lanes[index] else { continue };
                    let mut to = Vec::new();
                    table.ended(lane(index), at, &mut to);
                    for id in to {
                        // Ends that lie behind a reader do not move it back.
                        let next = expected.get_mut(&id).unwrap();
                        prop_assert!(at <= *next);
                    }
                }
            }
        }
    }
}
