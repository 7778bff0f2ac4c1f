//! The harness of the Unity package as a running program.

use tokio::process::Command;

use super::common::program::Program;
use super::package;

/// A running harness.
pub struct Scene(Program);

impl Scene {
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new("mono");
        command.arg("--debug").arg(package::harness()).args(arguments);
        Self(Program::start(command))
    }

    /// Tells it a line.
    pub async fn tell(&mut self, line: &str) {
        self.0.tell(line).await;
    }

    /// The next line, `None` at the end.
    pub async fn line(&mut self) -> Option<String> {
        self.0.line().await
    }

    /// What follows `start` in the next line that begins with it; others are passed over.
    pub async fn says(&mut self, start: &str) -> String {
        self.0.until(start).await
    }

    /// Everything it has printed and was read so far.
    pub fn heard(&self) -> &[String] {
        self.0.heard()
    }

    /// The lines that are left until it ends, which must be in good order. Where it takes lines it
    /// is told to.
    pub async fn ends(mut self) -> Vec<String> {
        self.0.tell("quit").await;
        let (status, rest) = self.0.ends().await;
        assert!(status.success(), "{status}: {}", self.0.story());
        let strays = self.0.heard().iter().filter(|line| line.starts_with("on another thread"));
        assert_eq!(strays.count(), 0, "{}", self.0.story());
        rest
    }
}
