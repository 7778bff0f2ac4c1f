//! A database with a node that keeps its topics there, and another program that speaks to it.

use rusqlite::Connection;

use super::common::node::{Setup, TestNode};
use super::postgres::Postgres;

/// A test of each clause on each database.
macro_rules! on_each_database {
    ($($clause:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $clause() {
                super::$clause(super::Database::start(super::Engine::Sqlite).await).await;
            })+
        }
        mod postgresql {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $clause() {
                super::$clause(super::Database::start(super::Engine::Postgres).await).await;
            })+
        }
    };
}

/// Which database.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// The database.
pub(crate) enum Database {
    Sqlite,
    Postgres(Box<Postgres>),
}

impl Database {
    pub(crate) async fn start(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::Sqlite,
            Engine::Postgres => Self::Postgres(Box::new(Postgres::start().await)),
        }
    }

    /// A node that keeps its topics there, with more of a configuration.
    pub(crate) async fn node(&self, config: &str) -> TestNode {
        let setup = Setup::default().config(config);
        let node = match self {
            Self::Sqlite => setup.start().await,
            Self::Postgres(postgres) => setup.env("DATABASE_URL", &postgres.url()).start().await,
        };
        super::reads(&node).await;
        node
    }

    /// Another program says `sql`.
    pub(crate) async fn execute(&self, node: &TestNode, sql: &str) {
        match self {
            Self::Sqlite => open(node).execute_batch(sql).unwrap(),
            Self::Postgres(postgres) => postgres.connect().await.batch_execute(sql).await.unwrap(),
        }
    }

    /// The number that `sql` tells another program.
    #[allow(dead_code, reason = "not every test counts")]
    pub(crate) async fn count(&self, node: &TestNode, sql: &str) -> i64 {
        match self {
            Self::Sqlite => {
                let sql = sql.replace("::bigint", "");
                open(node).query_row(&sql, [], |row| row.get(0)).unwrap()
            }
            Self::Postgres(postgres) => {
                postgres.connect().await.query_one(sql, &[]).await.unwrap().get(0)
            }
        }
    }
}

/// The file of a node, opened by another program.
pub(crate) fn open(node: &TestNode) -> Connection {
    let connection = Connection::open(node.data_dir().join("pushgate.db")).unwrap();
    connection.busy_timeout(super::common::GUARD).unwrap();
    connection
}
