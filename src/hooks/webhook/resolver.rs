//! Where a name leads: to the Internet, or nowhere.
//!
//! What comes out of here is what is connected to; no second look-up can answer otherwise.

use std::fmt;
use std::io;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::config::is_public;

/// Looks a name up, and passes only public addresses on.
#[derive(Debug, Default)]
pub(super) struct PublicResolver<R = DefaultResolver>(R);

/// A name led to no public address.
#[derive(Debug)]
pub(super) struct NotPublic;

impl NotPublic {
    pub(super) const TEXT: &'static str = "its name leads to no public address: to have a private \
                                           one, write the address itself into hooks.url";
}

impl<R: Resolver> Resolver for PublicResolver<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.0.resolve(uri, config, timeout)?;
        let mut public = self.empty();
        for address in found.iter().filter(|address| is_public(address.ip())) {
            public.push(*address);
        }
        if public.is_empty() {
            return Err(ureq::Error::Io(io::Error::other(NotPublic)));
        }
        Ok(public)
    }
}

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::TEXT)
    }
}

impl std::error::Error for NotPublic {}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::hooks::webhook::failure::{Failure, Reason};

    /// Leads every name to these addresses.
    #[derive(Debug)]
    struct Leads(Vec<&'static str>);

    impl Resolver for Leads {
        fn resolve(
            &self,
            _: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, ureq::Error> {
            let mut found = self.empty();
            for address in &self.0 {
                found.push(SocketAddr::new(address.parse().unwrap(), 80));
            }
            Ok(found)
        }
    }

    fn resolved(addresses: &[&'static str]) -> Result<Vec<String>, Failure> {
        let resolver = PublicResolver(Leads(addresses.to_vec()));
        let uri = "http://a.test/".parse().unwrap();
        let found = resolver.resolve(&uri, &Config::default(), NextTimeout::default())?;
        Ok(found.iter().map(|address| address.ip().to_string()).collect())
    }

    #[test]
    fn private_addresses_are_left_out_and_alone_they_are_refused() {
        let mixed = ["127.0.0.1", "8.8.8.8", "169.254.169.254", "fd00::1", "2606:4700::1"];
        assert_eq!(resolved(&mixed).unwrap(), ["8.8.8.8", "2606:4700::1"]);
        for private in ["127.0.0.1", "10.0.0.1", "::ffff:192.168.0.1", "::1", "0.0.0.0"] {
            let failure = resolved(&[private, "169.254.169.254"]).unwrap_err();
            assert_eq!(failure.reason, Reason::Private, "{private}");
        }
    }
}
