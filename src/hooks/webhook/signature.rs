//! What a receiver knows by that an event is ours, and how old it is.

use std::fmt::Write as _;

use ring::hmac;

use crate::config::Secret;

/// Signs bodies with `hooks.secret`.
pub(super) struct Signature(hmac::Key);

impl Signature {
    pub(super) fn new(secret: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()))
    }

    /// `t=<seconds>,v1=<hex>`: HMAC with SHA-256 over `<seconds>.<body>`, the time of this attempt in
    /// seconds since 1970.
    pub(super) fn of(&self, seconds: u64, body: &[u8]) -> String {
        self.sign(format!("t={seconds},v1="), &[format!("{seconds}.").as_bytes(), body])
    }

    /// `v1=<hex>`, in the same way over `<seconds>.<id>.<number>`: that the event with this id has this
    /// number. No body begins as an id does.
    pub(super) fn of_number(&self, seconds: u64, id: &str, number: u64) -> String {
        self.sign("v1=".to_owned(), &[format!("{seconds}.{id}.{number}").as_bytes()])
    }

    fn sign(&self, mut text: String, parts: &[&[u8]]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        for byte in context.sign().as_ref() {
            // A string takes all that is written.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signature(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_that_a_receiver_computes() {
        let signature = Signature::new(&Secret::new("9f2c4e8a1b7d3056"));
        assert_eq!(
            signature.of(1_700_000_000, b"from=ann"),
            "t=1700000000,v1=e2ec9a1da69ec289e765f2735207d0141723c578437a054a8518a3619ce4f107"
        );
        assert!(!format!("{signature:?}").contains("9f2c"));
    }
}
