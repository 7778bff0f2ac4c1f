//! What shares a commit, written down.

use std::collections::HashMap;

use tokio_postgres::{Client, Error, Transaction};

use super::super::asked::{Asked, Written};
use super::append::{Post, append_all, append_each};
use super::session::{Terms, Wait};
use super::{is_refusal, write};

/// How much besides publications shares a commit: each takes round trips of its own.
const OTHERS: usize = 16;

/// Does all of `writes` in one commit. Where it fails, `doubts` tells what may be there all the same.
pub(super) async fn commit(
    client: &mut Client,
    terms: &Terms,
    writes: &mut [Asked],
    doubts: &mut HashMap<String, u64>,
) -> Result<Vec<Written>, Error> {
    let transaction = terms.begin(client, Wait::Short).await?;
    let (transaction, written) = match write_all(&transaction, writes).await {
        Ok(written) => (transaction, written),
        // What a rule of the database refuses takes nothing else along.
        Err(error) if is_refusal(&error) => {
            transaction.rollback().await?;
            let mut transaction = terms.begin(client, Wait::Short).await?;
            let written = write_each(&mut transaction, writes).await?;
            (transaction, written)
        }
        Err(error) => return Err(error),
    };
    let mut first = HashMap::new();
    for (asked, done) in writes.iter().zip(&written) {
        if let (Written::Appended(position), Asked::Append(append)) = (done, asked) {
            let channel = append.entry().channel.as_str().to_owned();
            first.entry(channel).or_insert(position.offset - 1);
        }
    }
    // From here on, where it fails, nobody knows whether it was made.
    *doubts = first;
    transaction.commit().await?;
    Ok(written)
}

/// What shares a commit each, in its order.
pub(super) fn portions(writes: Vec<Asked>) -> Vec<Vec<Asked>> {
    let (mut portions, mut others): (Vec<Vec<_>>, _) = (Vec::new(), 0);
    for asked in writes {
        others += usize::from(!is_append(&asked));
        match portions.last_mut() {
            Some(portion) if others <= OTHERS => portion.push(asked),
            _ => {
                others = usize::from(!is_append(&asked));
                portions.push(vec![asked]);
            }
        }
    }
    portions
}

async fn write_all(
    transaction: &Transaction<'_>,
    writes: &mut [Asked],
) -> Result<Vec<Written>, Error> {
    let mut written = Vec::new();
    for run in runs(writes) {
        match run {
            [asked] if !is_append(asked) => written.push(write(transaction, asked).await?),
            appends => {
                let places = append_all(transaction, &mut posts(appends)).await?;
                written.extend(places.into_iter().map(Written::Appended));
            }
        }
    }
    Ok(written)
}

async fn write_each(
    transaction: &mut Transaction<'_>,
    writes: &mut [Asked],
) -> Result<Vec<Written>, Error> {
    let mut written = Vec::new();
    for run in runs(writes) {
        match run {
            [asked] if !is_append(asked) => {
                let savepoint = transaction.transaction().await?;
                written.push(match write(&savepoint, asked).await {
                    Ok(done) => {
                        savepoint.commit().await?;
                        done
                    }
                    Err(error) if is_refusal(&error) => {
                        savepoint.rollback().await?;
                        Written::Refused
                    }
                    Err(error) => return Err(error),
                });
            }
            appends => {
                let places = append_each(transaction, &mut posts(appends)).await?;
                let told = |place: Option<_>| place.map_or(Written::Refused, Written::Appended);
                written.extend(places.into_iter().map(told));
            }
        }
    }
    Ok(written)
}

/// Publications that follow upon each other, and anything else alone.
fn runs(writes: &mut [Asked]) -> impl Iterator<Item = &mut [Asked]> {
    writes.chunk_by_mut(|one, next| is_append(one) && is_append(next))
}

fn posts(appends: &mut [Asked]) -> Vec<Post<'_>> {
    let mut posts: Vec<Post<'_>> = Vec::new();
    for asked in appends {
        if let Asked::Append(append) = asked {
            posts.push(&mut **append);
        }
    }
    posts
}

const fn is_append(asked: &Asked) -> bool {
    matches!(asked, Asked::Append(_))
}
