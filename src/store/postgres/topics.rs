//! The topics of the board in PostgreSQL.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, GenericClient, Transaction};

use super::super::database::{Change, Changed, DatabaseError};
use crate::channel::{Topic, Topics};

/// Makes a change.
pub(super) async fn change(
    transaction: &Transaction<'_>,
    change: &Change,
) -> Result<Result<Changed, DatabaseError>, Error> {
    match change {
        Change::Add(comment) => add(transaction, comment).await,
        Change::Remove(id) => remove(transaction, *id).await.map(Ok),
    }
}

async fn add(
    transaction: &Transaction<'_>,
    comment: &str,
) -> Result<Result<Changed, DatabaseError>, Error> {
    if !Topics::new(read(transaction).await?).has_room_for(comment) {
        return Ok(Err(DatabaseError::Full));
    }
    let insert = "INSERT INTO pushgate_topics (comment) VALUES ($1) RETURNING id";
    let row = transaction.query_typed_one(insert, &[(&comment, Type::TEXT)]).await?;
    let id = row.try_get(0)?;
    Ok(Ok(Changed::Added(Topic { id, comment: comment.to_owned() })))
}

async fn remove(transaction: &Transaction<'_>, id: i64) -> Result<Changed, Error> {
    let delete = "DELETE FROM pushgate_topics WHERE id = $1";
    let rows = transaction.execute_typed(delete, &[(&id, Type::INT8)]).await?;
    Ok(if rows > 0 { Changed::Removed } else { Changed::Absent })
}

/// The newest topics, oldest first. Comments that another program wrote are cut to their bound.
pub(super) async fn read(client: &impl GenericClient) -> Result<Vec<Topic>, Error> {
    let select = "SELECT id, comment FROM ( \
                      SELECT id, left(comment, $1) AS comment FROM pushgate_topics \
                      ORDER BY id DESC LIMIT $2 \
                  ) AS newest ORDER BY id";
    let length = i32::try_from(Topics::COMMENT).unwrap_or(i32::MAX);
    let most = i64::try_from(Topics::MOST).unwrap_or(i64::MAX);
    let bounds: [(&(dyn ToSql + Sync), Type); 2] = [(&length, Type::INT4), (&most, Type::INT8)];
    let rows = client.query_typed(select, &bounds).await?;
    rows.iter().map(|row| Ok(Topic { id: row.try_get(0)?, comment: row.try_get(1)? })).collect()
}
