//! Who a camera is to the gateway, asked without holding other cameras up.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::scene::Scene;
use crate::command::error::CommandError;
use crate::command::follow::{Ending, Plan};
use crate::command::identity::{Identity, May};
use crate::command::problem::Problem;

/// The identity of one camera. Its requests block, so each is made on a thread that may.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    identity: Arc<Mutex<Identity>>,
    scene: Arc<Scene>,
    is_anonymous: bool,
}

impl Account {
    /// An account that has not spoken to the gateway yet; an anonymous one never logs in.
    pub(crate) fn new(identity: Identity, scene: Arc<Scene>, is_anonymous: bool) -> Self {
        Self { identity: Arc::new(Mutex::new(identity)), scene, is_anonymous }
    }

    /// What the next connection is made from, after a login where there is none.
    pub(crate) async fn plan(&self) -> Result<Plan, Ending> {
        let bearer = self.ask(|identity, scene| {
            identity.for_channel(&scene.gateway, &scene.channel, May::ReadAndWrite)
        });
        let query = [("ids", "1"), ("users", "none"), ("errors", "1")];
        Ok(Plan {
            gateway: self.scene.gateway.clone(),
            channel: self.scene.channel.clone(),
            query: query.map(|(name, value)| (name, value.to_owned())).to_vec(),
            bearer: bearer.await.map_err(Ending::Failed)?,
        })
    }

    /// Whether a new login may mend what `problem` says.
    pub(crate) async fn mend(&self, problem: &Problem) -> Result<bool, CommandError> {
        if self.is_anonymous {
            return Ok(false);
        }
        let problem = problem.clone();
        self.ask(move |identity, scene| identity.mend(&scene.gateway, &problem)).await
    }

    /// Drops a login of our own, so that the next connection brings a new one; `false` if there is
    /// none.
    pub(crate) async fn forget(&self) -> Result<bool, CommandError> {
        self.ask(|identity, _| Ok(identity.forget())).await
    }

    /// Logs out, where we have logged in.
    pub(crate) async fn leave(&self) {
        let left = self.ask(|identity, scene| {
            identity.leave(&scene.gateway);
            Ok(())
        });
        // Presence ends by itself too.
        let _ = left.await;
    }

    async fn ask<T: Send + 'static>(
        &self,
        request: impl FnOnce(&mut Identity, &Scene) -> Result<T, CommandError> + Send + 'static,
    ) -> Result<T, CommandError> {
        let (identity, scene) = (Arc::clone(&self.identity), Arc::clone(&self.scene));
        let asked = tokio::task::spawn_blocking(move || {
            let mut identity = identity.lock().unwrap_or_else(PoisonError::into_inner);
            request(&mut identity, &scene)
        });
        asked.await.map_err(|error| CommandError::Runtime(io::Error::other(error)))?
    }
}
