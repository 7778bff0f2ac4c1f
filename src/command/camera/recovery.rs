//! What follows the end of a connection: another one, after a while, or none.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::account::Account;
use super::scene::Scene;
use crate::command::backoff::Backoff;
use crate::command::error::{CommandError, Retry};
use crate::command::follow::Ending;
use crate::command::problem::Problem;

/// A connection that stood this long was a good one, even if nothing came back.
const STEADY: Duration = Duration::from_secs(30);
/// Attempts before any connection stood, until the gateway counts as unreachable.
const HOPELESS: u32 = 6;
/// The least wait of who was too fast.
const TOO_FAST: Duration = Duration::from_secs(5);

/// How the connections of one camera went so far.
#[derive(Debug)]
pub(crate) struct Recovery {
    index: u16,
    scene: Arc<Scene>,
    account: Account,
    backoff: Backoff,
    failed: u32,
    /// We logged in anew and nothing has arrived since.
    mended: bool,
    open_since: Option<Instant>,
    last: Option<CommandError>,
}

impl Recovery {
    /// Before the first connection of camera `index`.
    pub(crate) fn new(index: u16, scene: Arc<Scene>, account: Account) -> Self {
        Self {
            index,
            scene,
            account,
            backoff: Backoff::default(),
            failed: 0,
            mended: false,
            open_since: None,
            last: None,
        }
    }

    /// A connection stands.
    pub(crate) fn opened(&mut self) {
        self.open_since = Some(Instant::now());
        self.last = None;
    }

    /// Something arrived, so all is well.
    pub(crate) fn heard(&mut self) {
        self.backoff.reset();
        self.mended = false;
    }

    /// Why the last attempt failed, if no connection has stood since.
    pub(crate) fn last(self) -> Option<CommandError> {
        self.last
    }

    /// How long to wait before the next connection.
    ///
    /// # Errors
    /// What no new connection mends.
    pub(crate) async fn judge(&mut self, ending: Ending) -> Result<Duration, CommandError> {
        if self.open_since.take().is_some_and(|since| since.elapsed() > STEADY) {
            self.heard();
        }
        let (why, asked) = match ending {
            Ending::Closed(code @ (4002 | 4003)) => return Err(CommandError::Closed(code)),
            Ending::Closed(4001) => return self.expired().await,
            Ending::Closed(4009) => ("too fast for the gateway (4009)".to_owned(), Some(TOO_FAST)),
            Ending::Closed(code) => (CommandError::Closed(code).to_string(), None),
            Ending::Later(wait) => ("the gateway asks to wait".to_owned(), Some(wait)),
            Ending::Lost(why) => (format!("connection lost ({why})"), None),
            Ending::Stopped => ("connection stopped".to_owned(), None),
            Ending::Failed(error) => return self.failed(error).await,
            // It got through before: a proxy whose gateway is being replaced.
            Ending::Blocked(error) if self.scene.was_open() => (error.to_string(), None),
            Ending::Blocked(error) => return Err(error),
        };
        Ok(self.wait(&why, asked))
    }

    /// A close with 4001: a login of our own is made anew, a token of the user's is his to renew.
    async fn expired(&mut self) -> Result<Duration, CommandError> {
        if !self.account.forget().await? {
            return Err(CommandError::Closed(4001));
        }
        Ok(self.mended("the token has expired, logging in again"))
    }

    /// A connection that did not come to stand.
    async fn failed(&mut self, error: CommandError) -> Result<Duration, CommandError> {
        if let Some(problem) = error.problem()
            && !self.mended
            && let Some(wait) = self.mends(problem).await?
        {
            return Ok(wait);
        }
        let asked = match error.retry() {
            Retry::After(asked) => asked,
            Retry::Never if self.is_outage(&error) => None,
            Retry::Never => return Err(error),
        };
        self.failed = self.failed.saturating_add(1);
        let is_unreachable = matches!(error, CommandError::Unreachable { .. });
        if is_unreachable && !self.scene.was_open() && self.failed >= HOPELESS {
            return Err(error);
        }
        let wait = self.wait(&error.to_string(), asked);
        self.last = Some(error);
        Ok(wait)
    }

    /// Whether logging in is what `problem` asks for, and how long to wait after it.
    async fn mends(&mut self, problem: &Problem) -> Result<Option<Duration>, CommandError> {
        match self.account.mend(problem).await {
            Ok(true) => Ok(Some(self.mended("logged in"))),
            Ok(false) => Ok(None),
            Err(error) => match error.retry() {
                Retry::After(asked) => Ok(Some(self.wait(&error.to_string(), asked))),
                Retry::Never => Err(error),
            },
        }
    }

    /// Whether this gateway was there before and is not to be reached now.
    fn is_outage(&self, error: &CommandError) -> bool {
        self.scene.was_open() && matches!(error, CommandError::Unreachable { .. })
    }

    /// The first login since something arrived is followed at once, later ones with a back-off.
    fn mended(&mut self, why: &str) -> Duration {
        if self.mended {
            return self.wait(why, None);
        }
        self.mended = true;
        self.scene.tell(self.index, why);
        Duration::ZERO
    }

    fn wait(&mut self, why: &str, asked: Option<Duration>) -> Duration {
        let wait = self.backoff.next(asked);
        self.scene.tally.trouble(why);
        self.scene.tell(self.index, &format!("{why}; again in {:.1} s", wait.as_secs_f32()));
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::address::{Address, Channel};
    use crate::command::gateway::Gateway;
    use crate::command::identity::Identity;

    fn recovery() -> Recovery {
        let gateway = Gateway::new(Address::parse("http://127.0.0.1:9").unwrap());
        let scene = Arc::new(Scene::new(gateway, Channel::default(), 100));
        let account = Account::new(Identity::new(None, None, None), Arc::clone(&scene), false);
        Recovery::new(0, scene, account)
    }

    fn problem(status: u16) -> CommandError {
        let asked = Some(Duration::from_secs(7));
        CommandError::Refused(Problem { status, retry_after: asked, ..Problem::default() })
    }

    fn refused_connection() -> CommandError {
        let source = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let source = Box::new(ureq::Error::Io(source));
        CommandError::Unreachable { address: "http://h".to_owned(), source }
    }

    #[tokio::test]
    async fn close_codes_say_whether_to_come_back() {
        for code in [1000, 1001, 1005, 1011, 4008] {
            let wait = recovery().judge(Ending::Closed(code)).await.unwrap();
            assert!(wait <= Duration::from_secs(1), "{code}: {wait:?}");
        }
        assert!(recovery().judge(Ending::Closed(4009)).await.unwrap() >= TOO_FAST);
        for code in [4001, 4002, 4003] {
            let error = recovery().judge(Ending::Closed(code)).await.unwrap_err();
            assert_eq!(error.exit_code(), 1, "{code}");
        }
    }

    #[tokio::test]
    async fn what_the_gateway_asks_for_is_waited() {
        for status in [429, 503] {
            let wait = recovery().judge(Ending::Failed(problem(status))).await.unwrap();
            assert!((7..=8).contains(&wait.as_secs()), "{status}: {wait:?}");
        }
        assert!(recovery().judge(Ending::Failed(problem(403))).await.is_err());
    }

    #[tokio::test]
    async fn a_closed_port_is_an_outage_only_where_the_gateway_was() {
        let mut recovery = recovery();
        let error = recovery.judge(Ending::Failed(refused_connection())).await.unwrap_err();
        assert_eq!(error.exit_code(), 3);
        recovery.scene.opened();
        for _ in 0..3 * HOPELESS {
            recovery.judge(Ending::Failed(refused_connection())).await.unwrap();
        }
        assert_eq!(recovery.last().unwrap().exit_code(), 3);
    }

    #[tokio::test]
    async fn a_gateway_that_never_answers_is_given_up() {
        let mut recovery = recovery();
        let reset = || {
            let source = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            let source = Box::new(ureq::Error::Io(source));
            Ending::Failed(CommandError::Unreachable { address: "http://h".to_owned(), source })
        };
        for _ in 1..HOPELESS {
            recovery.judge(reset()).await.unwrap();
        }
        assert_eq!(recovery.judge(reset()).await.unwrap_err().exit_code(), 3);
    }
}
