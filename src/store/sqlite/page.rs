//! A page of a channel in SQLite.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::section::{BYTES, Found, PASSED, Section};
use super::messages::{number, position, served, whole};
use crate::channel::{ChannelName, Extent, Position};

/// What `section` has of a channel, where what is newer than `sure` may not be true.
pub(super) fn page(
    connection: &Connection,
    channel: &ChannelName,
    section: &Section,
    sure: Option<u64>,
) -> rusqlite::Result<Option<Found>> {
    let find = "SELECT id, epoch, last, forgotten, bytes FROM pushgate_channels WHERE name = ?1";
    let found = connection
        .prepare_cached(find)?
        .query_row([channel.as_str()], |row| {
            Ok((row.get::<_, i64>(0)?, position(row, 1, 2)?, number(row, 3)?, number(row, 4)?))
        })
        .optional()?;
    let Some((id, mut last, forgotten, bytes)) = found else {
        return Ok(None);
    };
    last.offset = sure.map_or(last.offset, |sure| last.offset.min(sure));
    let kept = (last, forgotten, bytes);
    let extent = extent(connection, id, kept, section)?;
    let order = if section.is_back() { "DESC" } else { "ASC" };
    let rows = format!(
        "SELECT number, accepted, sender, message, retry_key, retry_body, retry_datetime, retry_ip \
         FROM pushgate_messages WHERE channel = ?1 AND number > ?2 AND number < ?3 \
         ORDER BY number {order} LIMIT ?4"
    );
    let (above, below) = section.between(&extent);
    let mut statement = connection.prepare_cached(&rows)?;
    let mut rows = statement.query(params![id, above, below, section.count()])?;
    let (mut page, mut length) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let stored = served(row, last.epoch)?;
        length += stored.plain.len();
        if !page.is_empty() && length > usize::try_from(BYTES).unwrap_or(usize::MAX) {
            break;
        }
        page.push(stored);
    }
    Ok(Some(section.page(&extent, page)))
}

/// What is kept of a channel.
fn extent(
    connection: &Connection,
    id: i64,
    (last, forgotten, bytes): (Position, u64, u64),
    section: &Section,
) -> rusqlite::Result<Extent> {
    let oldest = "SELECT number FROM pushgate_messages \
                  WHERE channel = ?1 AND number > ?2 AND accepted > ?3 ORDER BY number LIMIT 1";
    let (floor, since) = (section.floor(last, forgotten), section.since());
    let first = connection
        .prepare_cached(oldest)?
        .query_row([id, floor, since], |row| number(row, 0))
        .optional()?;
    let oldest = "SELECT number, octet_length(message) FROM pushgate_messages \
                  WHERE channel = ?1 ORDER BY number LIMIT ?2";
    let mut statement = connection.prepare_cached(oldest)?;
    let oldest = statement.query_map([id, PASSED], |row| Ok((number(row, 0)?, number(row, 1)?)))?;
    let within = match section.behind(bytes, oldest)? {
        Some(within) => within,
        None => within(connection, (id, floor, last), section)?,
    };
    let extent = Section::extent(last, first, within);
    let newest =
        "SELECT 1 FROM pushgate_messages WHERE channel = ?1 AND number = ?2 AND number > ?3";
    let place = params![id, whole(last.offset), whole(forgotten)];
    let has_newest = connection.prepare_cached(newest)?.exists(place)?;
    Ok(section.greeted(extent, has_newest))
}

/// Where the bound of bytes begins, counted from the newest.
fn within(
    connection: &Connection,
    (id, floor, last): (i64, i64, Position),
    section: &Section,
) -> rusqlite::Result<u64> {
    let newest = "SELECT number, octet_length(message) FROM pushgate_messages \
                  WHERE channel = ?1 AND number > ?2 AND number <= ?3 ORDER BY number DESC";
    let mut statement = connection.prepare_cached(newest)?;
    let mut rows = statement.query(params![id, floor, whole(last.offset)])?;
    let (mut first, mut left) = (last.offset + 1, section.bytes());
    while let Some(row) = rows.next()? {
        let Some(rest) = left.checked_sub(number(row, 1)?) else { break };
        (first, left) = (number(row, 0)?, rest);
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    //! A page is what a list of everything would give, whatever of it was lost.

    #![allow(clippy::as_conversions, reason = "no test has that many messages")]
    #![allow(clippy::cast_possible_truncation, reason = "as above")]
    #![allow(clippy::cast_possible_wrap, reason = "as above")]

    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::test_runner::Config;

    use super::*;
    use crate::channel::{Bounds, Epoch};
    use crate::store::Window;
    use crate::store::section::Side;
    use crate::store::sqlite::open::set_up;

    const NOW: u64 = 1_000_000;

    fn at(offset: u64) -> Position {
        Position { epoch: Epoch::from_random(5), offset }
    }

    /// A channel with messages of these lengths, the first at offset 1, of which those of `lost` are
    /// missing; each a second older than the next.
    fn channel(lengths: &[usize], lost: &[u64]) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        let connection = set_up(connection).unwrap_or_else(|why| panic!("{why}"));
        let bytes: usize = lengths.iter().sum();
        let make = "INSERT INTO pushgate_channels (id, name, epoch, last, bytes) VALUES (1, '', ?1, ?2, ?3)";
        let epoch = at(0).epoch.to_string();
        connection.execute(make, params![epoch, lengths.len() as i64, bytes as i64]).unwrap();
        let insert = "INSERT INTO pushgate_messages (channel, number, accepted, sender, message) \
                      VALUES (1, ?1, ?2, '', ?3)";
        for (length, number) in lengths.iter().zip(1_u64..) {
            if !lost.contains(&number) {
                let accepted = NOW - 1000 * (lengths.len() as u64 - number);
                let row = params![number as i64, accepted as i64, "1".repeat(*length)];
                connection.prepare_cached(insert).unwrap().execute(row).unwrap();
            }
        }
        connection
    }

    fn found(connection: &Connection, bounds: Bounds, side: Side, limit: usize) -> Found {
        let window = Window { bounds, now: NOW, below: None, piece: (1, 1), greets: false };
        let section = Section { window, side, limit };
        page(connection, &ChannelName::root(), &section, None).unwrap().unwrap()
    }

    fn offsets(found: &Found) -> Vec<u64> {
        found.kept.iter().map(|stored| stored.position.offset).collect()
    }

    fn bounds() -> impl Strategy<Value = Bounds> {
        let age = (1_u64..200).prop_map(Duration::from_secs);
        (0_usize..120, age, 0_usize..2000).prop_map(|(messages, age, bytes)| Bounds {
            messages,
            age,
            bytes,
        })
    }

    proptest! {
        #![proptest_config(Config { cases: 200, failure_persistence: None, ..Config::default() })]

        #[test]
        fn a_page_is_what_a_list_of_everything_would_give(
            lengths in vec(1_usize..40, 0..100),
            bounds in bounds(),
            forgotten in prop_oneof![Just(0), 0_u64..100],
            asked in vec((0_u64..110, 1_usize..60), 1..8),
        ) {
            let connection = channel(&lengths, &[]);
            let last = lengths.len() as u64;
            let forget = "UPDATE pushgate_channels SET forgotten = min(last, ?1)";
            connection.execute(forget, [forgotten as i64]).unwrap();
            let is_kept = |offset: u64| {
                let newer: usize = lengths[offset as usize - 1..].iter().sum();
                offset > forgotten
                    && (last - offset) < bounds.messages as u64
                    && newer <= bounds.bytes
                    && Duration::from_secs(last - offset) < bounds.age
            };
            let first = (1..=last).find(|offset| is_kept(*offset)).unwrap_or(last + 1);
            for (place, limit) in asked {
                let page = found(&connection, bounds, Side::Since(Some(at(place))), limit);
                let is_gap = place + 1 < first || place > last;
                prop_assert_eq!(page.gap.map(|gap| gap.next), is_gap.then_some(at(first)));
                let begin = if is_gap { first } else { place + 1 };
                let all: Vec<_> = (begin..=last).collect();
                prop_assert_eq!(offsets(&page), &all[..all.len().min(limit)]);
                prop_assert_eq!(page.is_more, all.len() > limit);

                let page = found(&connection, bounds, Side::Before(at(place)), limit);
                let is_gap = place > last + 1 || (place > 1 && place <= first);
                prop_assert_eq!(page.gap.map(|gap| gap.next), is_gap.then_some(at(first)));
                let all: Vec<_> = (first..place.clamp(first, last + 1)).rev().collect();
                prop_assert_eq!(offsets(&page), &all[..all.len().min(limit)]);
                prop_assert_eq!(page.is_more, all.len() > limit);
            }
            let page = found(&connection, bounds, Side::Since(None), 200);
            prop_assert_eq!((offsets(&page), page.gap), ((first..=last).collect(), None));
        }

        #[test]
        fn whatever_was_lost_is_told_by_one_gap_after_the_other(
            count in 1_usize..80,
            lost in vec(1_u64..80, 0..12),
            limit in 1_usize..30,
            is_back in any::<bool>(),
        ) {
            let connection = channel(&vec![1; count], &lost);
            let bounds = Bounds { messages: 1000, age: Duration::from_hours(1), bytes: 1 << 20 };
            let last = count as u64;
            let (mut seen, mut told) = (Vec::new(), Vec::new());
            let mut place = if is_back { last + 1 } else { 0 };
            for _ in 0..=2 * count {
                let side = if is_back { Side::Before(at(place)) } else { Side::Since(Some(at(place))) };
                let page = found(&connection, bounds, side, limit);
                if let Some(gap) = page.gap {
                    let next = gap.next.offset;
                    told.extend(if is_back { (next.min(place) + 1)..place } else { place + 1..next });
                }
                seen.extend(offsets(&page));
                if !page.is_more {
                    break;
                }
                place = *seen.last().unwrap();
            }
            // Nothing is passed over that is not told, and nothing comes twice.
            let mut all = [seen.clone(), told].concat();
            all.sort_unstable();
            let kept: Vec<_> = (1..=last).filter(|offset| !lost.contains(offset)).collect();
            let first = kept.first().copied().unwrap_or(last + 1);
            seen.sort_unstable();
            prop_assert_eq!(seen, kept);
            let begin = if is_back { first } else { 1 };
            prop_assert_eq!(all, (begin..=last).collect::<Vec<_>>());
        }
    }
}
