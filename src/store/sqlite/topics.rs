//! The topics of the board in SQLite.

use rusqlite::{Connection, Row};

use super::super::database::{Change, Changed, DatabaseError};
use crate::channel::{Topic, Topics};

/// Makes a change.
pub(super) fn change(
    connection: &Connection,
    change: &Change,
) -> rusqlite::Result<Result<Changed, DatabaseError>> {
    match change {
        Change::Add(comment) => add(connection, comment),
        Change::Remove(id) => Ok(Ok(remove(connection, *id)?)),
    }
}

fn add(connection: &Connection, comment: &str) -> rusqlite::Result<Result<Changed, DatabaseError>> {
    if !Topics::new(read(connection)?).has_room_for(comment) {
        return Ok(Err(DatabaseError::Full));
    }
    let insert = "INSERT INTO pushgate_topics (comment) VALUES (?1) RETURNING id";
    let id = connection.prepare_cached(insert)?.query_row([comment], |row| row.get(0))?;
    Ok(Ok(Changed::Added(Topic { id, comment: comment.to_owned() })))
}

fn remove(connection: &Connection, id: i64) -> rusqlite::Result<Changed> {
    let delete = "DELETE FROM pushgate_topics WHERE id = ?1";
    let rows = connection.prepare_cached(delete)?.execute([id])?;
    Ok(if rows > 0 { Changed::Removed } else { Changed::Absent })
}

/// The newest topics, oldest first. Comments that another program wrote are cut to their bound.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Vec<Topic>> {
    let select = "SELECT id, comment FROM ( \
                      SELECT id, substr(comment, 1, ?1) AS comment FROM pushgate_topics \
                      ORDER BY id DESC LIMIT ?2 \
                  ) ORDER BY id";
    let mut statement = connection.prepare_cached(select)?;
    let topic = |row: &Row<'_>| {
        let comment = row.get_ref(1)?.as_bytes()?;
        Ok(Topic { id: row.get(0)?, comment: String::from_utf8_lossy(comment).into_owned() })
    };
    let bounds =
        [Topics::COMMENT, Topics::MOST].map(|most| i64::try_from(most).unwrap_or(i64::MAX));
    statement.query_map(bounds, topic)?.collect()
}
