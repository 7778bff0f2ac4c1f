//! The file through restarts, torn lines, a disk that fails, and time.

use std::os::unix::fs::PermissionsExt;

use super::super::scratch::Scratch;
use super::*;

const NAME: &str = "ended-tokens";

fn record(client: &str, floor: u64, until: u64) -> EndedRecord {
    EndedRecord { client: client.to_owned(), floor, until }
}

/// What a start after the one before finds.
fn restart(scratch: &Scratch) -> Vec<EndedRecord> {
    scratch.open().ended_tokens().unwrap().take_loaded()
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let scratch = Scratch::new();
    let mut log = scratch.open().ended_tokens().unwrap();
    assert!(log.take_loaded().is_empty());
    log.append(&record("ann", 10, 900)).unwrap();
    log.append(&record("b\"o\\b\u{2028} é", u64::MAX, 901)).unwrap();
    drop(log);
    let expected = [record("ann", 10, 900), record("b\"o\\b\u{2028} é", u64::MAX, 901)];
    assert_eq!(restart(&scratch), expected);
    let first = scratch.read(NAME).lines().next().unwrap().to_owned();
    assert_eq!(first, r#"{"client":"ann","floor":10,"until":900}"#);
}

#[test]
fn the_file_is_for_its_owner_alone() {
    let scratch = Scratch::new();
    scratch.open().ended_tokens().unwrap();
    let mode = fs::metadata(scratch.0.join(NAME)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn of_a_client_the_highest_floor_and_the_longest_time_count() {
    let scratch = Scratch::new();
    let log = scratch.open().ended_tokens().unwrap();
    for (floor, until) in [(10, 900), (30, 700), (20, 800)] {
        log.append(&record("ann", floor, until)).unwrap();
    }
    assert_eq!(restart(&scratch), [record("ann", 30, 900)]);
    assert_eq!(scratch.read(NAME).lines().count(), 1);
}

#[test]
fn a_torn_last_line_is_cut_off_wherever_it_was_torn() {
    let whole = "{\"client\":\"ann\",\"floor\":1,\"until\":900}\n";
    let torn = "{\"client\":\"bé\",\"floor\":2,\"until\":901}\n";
    for end in 0..torn.len() {
        let scratch = Scratch::new();
        scratch.write(NAME, &[whole.as_bytes(), &torn.as_bytes()[..end]].concat());
        let mut log = scratch.open().ended_tokens().unwrap();
        assert_eq!(log.bytes_cut(), end);
        assert_eq!(log.take_loaded(), [record("ann", 1, 900)]);
        log.append(&record("cid", 3, 902)).unwrap();
        assert_eq!(restart(&scratch), [record("ann", 1, 900), record("cid", 3, 902)]);
    }
}

#[test]
fn a_last_line_of_zeros_is_cut_off() {
    let scratch = Scratch::new();
    scratch.write(NAME, &[0; 4_096]);
    let log = scratch.open().ended_tokens().unwrap();
    assert_eq!(log.bytes_cut(), 4_096);
    assert_eq!(scratch.read(NAME), "");
}

#[test]
fn a_damaged_line_in_the_middle_is_refused_by_name_and_kept() {
    let scratch = Scratch::new();
    let line = "{\"client\":\"ann\",\"floor\":1,\"until\":900}\n";
    for damaged in ["\n", "{}\n", "\0\n", &line.replace("900", "\"900\"")] {
        let content = format!("{line}{damaged}{line}");
        scratch.write(NAME, content.as_bytes());
        let error = scratch.open().ended_tokens().unwrap_err();
        assert!(matches!(error, StoreError::NotARecord { line: 2, .. }), "{error}");
        assert!(error.to_string().contains(NAME), "{error}");
        assert_eq!(scratch.read(NAME), content);
    }
}

#[test]
fn what_expired_by_the_written_time_is_left_out_on_opening() {
    let scratch = Scratch::new();
    let log = scratch.open().ended_tokens().unwrap();
    for (client, until) in [("ann", 899), ("bob", 900), ("cid", 901)] {
        log.append(&record(client, 1, until)).unwrap();
    }
    assert_eq!(restart(&scratch).len(), 3, "no time was written: nothing is expired for good");
    scratch.open().write_time(900_000).unwrap();
    assert_eq!(restart(&scratch), [record("cid", 1, 901)]);
    assert_eq!(scratch.read(NAME).lines().count(), 1);
}

#[test]
fn a_clock_set_back_revives_nothing_since_the_wall_clock_is_not_asked() {
    let scratch = Scratch::new();
    // Far in the future by the wall clock, and yet expired by the time that was written down.
    scratch.open().write_time(u64::MAX).unwrap();
    let log = scratch.open().ended_tokens().unwrap();
    log.append(&record("ann", 1, 9_000_000_000)).unwrap();
    assert!(restart(&scratch).is_empty());
    // Long ago by the wall clock, but not by the time that was written down.
    scratch.open().write_time(5_000).unwrap();
    let log = scratch.open().ended_tokens().unwrap();
    log.append(&record("bob", 1, 6)).unwrap();
    assert_eq!(restart(&scratch), [record("bob", 1, 6)]);
}

#[test]
fn the_file_is_compacted_while_it_grows() {
    let scratch = Scratch::new();
    let directory = scratch.open();
    directory.write_time(1_000).unwrap();
    let log = directory.ended_tokens().unwrap();
    log.append(&record("live", 1, 9)).unwrap();
    let mut tail = log.lock();
    tail.compact_at = 1_000;
    drop(tail);
    for count in 0..100 {
        log.append(&record("gone", count, 1)).unwrap();
        // Once it was compacted its bound is a mebibyte again.
        if log.lock().compact_at == COMPACT_AFTER {
            break;
        }
    }
    let found = scratch.read(NAME);
    assert_eq!(found.lines().count(), 2, "{found}");
    log.append(&record("next", 1, 9)).unwrap();
    assert_eq!(restart(&scratch), [record("live", 1, 9), record("next", 1, 9)]);
}

#[test]
fn a_draft_that_cannot_be_written_does_not_keep_a_record_out() {
    let scratch = Scratch::new();
    let log = scratch.open().ended_tokens().unwrap();
    fs::create_dir(scratch.0.join("ended-tokens.tmp")).unwrap();
    log.lock().compact_at = 0;
    log.append(&record("ann", 1, 900)).unwrap();
    assert_eq!(restart(&scratch), [record("ann", 1, 900)]);
}

#[test]
fn after_a_failed_write_that_could_not_be_taken_back_there_is_a_new_file() {
    let scratch = Scratch::new();
    let log = scratch.open().ended_tokens().unwrap();
    log.append(&record("ann", 1, 900)).unwrap();
    // A file open for reading takes neither the record nor the mending.
    log.lock().file = File::open(scratch.0.join(NAME)).unwrap();
    let error = log.append(&record("bob", 1, 900)).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    assert!(error.to_string().contains(NAME), "{error}");
    let error = log.append(&record("bob", 2, 900)).unwrap_err();
    assert!(matches!(error, StoreError::Untrusted { .. }), "{error}");
    assert_eq!(log.waiting(), 1);
    assert_eq!(restart(&scratch), [record("ann", 1, 900)]);
    fs::create_dir(scratch.0.join("ended-tokens.tmp")).unwrap();
    assert!(matches!(log.mend(1), Err(StoreError::Untrusted { .. })));
    fs::remove_dir(scratch.0.join("ended-tokens.tmp")).unwrap();
    assert_eq!(log.mend(1).unwrap(), 1);
    log.append(&record("cid", 1, 900)).unwrap();
    assert_eq!((log.waiting(), log.mend(1).unwrap()), (0, 0));
    let expected = [record("ann", 1, 900), record("bob", 2, 900), record("cid", 1, 900)];
    assert_eq!(restart(&scratch), expected);
}

#[test]
fn what_was_written_in_part_is_in_no_one_s_way() {
    let scratch = Scratch::new();
    let log = scratch.open().ended_tokens().unwrap();
    log.append(&record("ann", 1, 900)).unwrap();
    // Half a line that could not be taken back.
    let mut file = files::open_to_append(&scratch.0.join(NAME)).unwrap();
    file.write_all(b"{\"client\":\"bo").unwrap();
    log.wait(&record("bob", 1, 900));
    log.lock().trusted = false;
    assert_eq!(log.mend(1).unwrap(), 1);
    log.append(&record("cid", 1, 900)).unwrap();
    assert_eq!(scratch.read(NAME).lines().count(), 3);
    assert_eq!(restart(&scratch).len(), 3);
}

#[test]
fn few_that_wait_are_added_and_many_make_a_new_file_where_there_is_room_for_one() {
    for (count, is_full) in [(3, true), (3, false), (FEW + 1, true), (FEW + 1, false)] {
        let scratch = Scratch::new();
        let log = scratch.open().ended_tokens().unwrap();
        log.append(&record("ann", 1, 900)).unwrap();
        if is_full {
            fs::create_dir(scratch.0.join("ended-tokens.tmp")).unwrap();
        }
        for number in 0..count {
            log.wait(&record(&format!("c{number:03}"), 1, 900));
        }
        log.wait(&record("expired", 1, 5));
        assert_eq!(log.mend(5).unwrap(), count);
        assert_eq!((log.waiting(), restart(&scratch).len()), (0, count + 1));
    }
}

#[test]
fn what_waits_is_one_record_a_client_until_one_that_says_as_much_is_written() {
    let scratch = Scratch::new();
    let log = scratch.open().ended_tokens().unwrap();
    for (floor, until) in [(10, 900), (30, 700), (20, 800)] {
        log.wait(&record("ann", floor, until));
    }
    assert_eq!(log.waiting(), 1);
    log.append(&record("ann", 40, 800)).unwrap();
    assert_eq!(log.waiting(), 1, "it does not say until when");
    log.append(&record("ann", 40, 900)).unwrap();
    assert_eq!(log.waiting(), 0);
}

#[test]
fn many_callers_lose_no_record() {
    let scratch = Scratch::new();
    let log = scratch.open().ended_tokens().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let log = &log;
            scope.spawn(move || {
                for count in 0..25 {
                    log.append(&record(&format!("{thread}-{count}"), 1, 900)).unwrap();
                }
            });
        }
    });
    assert_eq!(restart(&scratch).len(), 100);
}
