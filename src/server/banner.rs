//! What a newcomer reads first: where the gateway is, and what to try.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::gate::tries;

/// The lines printed at the start, with the machine's real addresses.
pub fn banner(address: SocketAddr, tls: bool, admin: Option<SocketAddr>) -> String {
    let scheme = if tls { "https" } else { "http" };
    let port = address.port();
    let mut text = String::new();
    let addresses = reachable(address.ip());
    for (index, ip) in addresses.iter().enumerate() {
        let place = SocketAddr::new(*ip, port);
        let lead =
            if index == 0 { "pushgate is listening on" } else { "                     and on" };
        text += &format!("{lead} {scheme}://{place}\n");
    }
    if let Some(admin) = admin {
        text += &format!("metrics are at http://{admin}/metrics\n");
    }
    let first = addresses.first().copied().unwrap_or_else(|| address.ip());
    let base = format!("{scheme}://{}", SocketAddr::new(first, port));
    text.push_str("\nTry, in another terminal:\n\n");
    for line in tries(&base).lines() {
        text += &format!("  {line}\n");
    }
    text.push('\n');
    text
}

/// The addresses behind one to listen on: for `0.0.0.0` and `::`, loopback first, then each
/// interface's own.
fn reachable(bound: IpAddr) -> Vec<IpAddr> {
    if !bound.is_unspecified() {
        return vec![bound];
    }
    let mut found = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let wanted = |ip: &IpAddr| {
        let link_local = match ip {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        !ip.is_loopback() && !link_local && (ip.is_ipv4() || bound.is_ipv6())
    };
    found.extend(interfaces.iter().map(if_addrs::Interface::ip).filter(wanted));
    found
}
