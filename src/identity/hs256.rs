//! HMAC with SHA-256 for the JWT library, from ring, which TLS brings along anyway.
//!
//! The library is built without cryptography of its own and asks the provider of the process for
//! it. Ours knows `HS256` and nothing else: whatever a token's header says, no other algorithm can run.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result, new_error};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use ring::hmac;

/// Makes ring's HMAC the cryptography of the JWT library in this process; again is harmless.
pub(super) fn install() {
    // An error says that there is a provider already: ours, from an earlier signer.
    let _ = PROVIDER.install_default();
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(Hs256::to_sign(*algorithm, key)?)),
    verifier_factory: |algorithm, key| Ok(Box::new(Hs256::to_verify(*algorithm, key)?)),
    // Only asked for JWKs, which we never make; reading one in a header does not ask it.
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(hmac::Key);

impl Hs256 {
    fn to_sign(algorithm: Algorithm, key: &EncodingKey) -> Result<Self> {
        Self::new(algorithm, key.as_bytes())
    }

    fn to_verify(algorithm: Algorithm, key: &DecodingKey) -> Result<Self> {
        Self::new(algorithm, key.try_get_as_bytes()?)
    }

    fn new(algorithm: Algorithm, key: &[u8]) -> Result<Self> {
        if algorithm == Algorithm::HS256 {
            Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, key)))
        } else {
            Err(new_error(ErrorKind::UnsupportedAlgorithm))
        }
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, SignatureError> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], tag: &Vec<u8>) -> std::result::Result<(), SignatureError> {
        // Compares in constant time.
        hmac::verify(&self.0, message, tag).map_err(|_| SignatureError::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::crypto::{sign, verify};

    use super::*;

    const KEY: &str =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    const MESSAGE: &[u8] = b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAi\
OjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const SIGNATURE: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn key() -> EncodingKey {
        // The RFC leaves the padding out, which the library wants here.
        EncodingKey::from_urlsafe_base64_secret(&format!("{KEY}==")).unwrap()
    }

    #[test]
    fn the_example_of_rfc_7515_a_1_is_signed_and_verified() {
        install();
        assert_eq!(sign(MESSAGE, &key(), Algorithm::HS256).unwrap(), SIGNATURE);
        let key = DecodingKey::from_secret(key().as_bytes());
        assert!(verify(SIGNATURE, MESSAGE, &key, Algorithm::HS256).unwrap());
        let other = SIGNATURE.replace('d', "e");
        assert!(!verify(&other, MESSAGE, &key, Algorithm::HS256).unwrap());
        assert!(!verify(SIGNATURE, &MESSAGE[1..], &key, Algorithm::HS256).unwrap());
        assert!(!verify("", MESSAGE, &key, Algorithm::HS256).unwrap());
    }

    #[test]
    fn no_other_algorithm_runs() {
        install();
        for algorithm in [Algorithm::HS384, Algorithm::HS512, Algorithm::RS256, Algorithm::EdDSA] {
            assert!(sign(MESSAGE, &key(), algorithm).is_err());
            let key = DecodingKey::from_secret(key().as_bytes());
            assert!(verify(SIGNATURE, MESSAGE, &key, algorithm).is_err());
        }
    }
}
