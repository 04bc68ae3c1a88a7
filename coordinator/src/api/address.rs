//! Where a request comes from: the connection's address, or what a trusted proxy says of it.
//!
//! The rim asks [`client`] once per request and puts the answer there as [`Peer`]. What must stay true: a forwarding header
//! is believed only when the connection itself comes from `server.trusted_proxies`, and then only as far as the chain of
//! trusted proxies reaches: the client is the right-most address that is none of them. Everything left of it could have
//! been written by anybody.

use super::ApiError;
use crate::config::{ForwardedHeader, ServerConfig};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::FORWARDED;
use axum::http::request::Parts;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// The header that most proxies write.
pub const X_FORWARDED_FOR: &str = "x-forwarded-for";
/// Hops that are looked at; a longer chain is nobody's.
const HOPS_MAX: usize = 32;

/// The address of whoever asks; `None` only for a router without a network below it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer(pub Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // `rim` puts it there for every request.
        Ok(parts.extensions.get::<Self>().copied().unwrap_or_else(|| connected(parts)))
    }
}

fn connected(parts: &Parts) -> Peer {
    let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    Peer(address.map(|ConnectInfo(address)| address.ip().to_canonical()))
}

/// The client of a request over a connection from `connected`.
pub fn client(connected: IpAddr, headers: &HeaderMap, server: &ServerConfig) -> IpAddr {
    let connected = connected.to_canonical();
    let trusted = |address: &IpAddr| within(*address, &server.trusted_proxies);
    if !trusted(&connected) {
        return connected;
    }
    let mut nearest = connected;
    for hop in hops(headers, server.forwarded_header) {
        // `unknown`, a hidden name or nonsense: the chain of trust ends at whoever wrote it.
        let Some(address) = hop else { return nearest };
        nearest = address;
        if !trusted(&address) {
            return address;
        }
    }
    nearest
}

/// Does the request carry a forwarding header that nobody trusted has written? Then the connection's address is a proxy's.
pub fn forwarded_by_a_stranger(connected: IpAddr, headers: &HeaderMap, server: &ServerConfig) -> bool {
    let forwarded = headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED);
    forwarded && !within(connected.to_canonical(), &server.trusted_proxies)
}

/// Is the address in one of the networks?
pub fn within(address: IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// The hops from the nearest to the farthest; `None` for one that is no address.
fn hops(headers: &HeaderMap, kind: ForwardedHeader) -> impl Iterator<Item = Option<IpAddr>> {
    let name = match kind {
        ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
        ForwardedHeader::Forwarded => FORWARDED.as_str(),
    };
    let lines: Vec<&str> =
        headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("unknown")).collect();
    let mut hops: Vec<Option<IpAddr>> = Vec::new();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')).take(HOPS_MAX) {
        hops.push(match kind {
            ForwardedHeader::XForwardedFor => address_in(hop.trim()),
            ForwardedHeader::Forwarded => forwarded_for(hop),
        });
    }
    hops.into_iter()
}

/// The `for` of one element of RFC 7239: `for=192.0.2.60;proto=http`, `for="[2001:db8::17]:4711"`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pair = element.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    })?;
    address_in(pair.trim().trim_matches('"'))
}

/// An address, with or without a port, IPv6 in brackets or without.
fn address_in(text: &str) -> Option<IpAddr> {
    let bare = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    bare.or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

/// Whose address it is, for limits: whoever has one address of IPv6 has at least a /64 of them, so that is one.
pub fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn seen(connected: &str, kind: &str, headers: &[(&'static str, &str)]) -> String {
        let text = format!(
            "[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"fd00::/8\"]\nforwarded_header = {kind:?}"
        );
        let config = Config::from_toml(&text).unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        client(connected.parse().unwrap(), &map, &config.server).to_string()
    }

    #[test]
    fn a_forwarding_header_is_believed_from_a_trusted_proxy_only() {
        let xff = [("x-forwarded-for", "198.51.100.7")];
        assert_eq!(seen("203.0.113.9", "x-forwarded-for", &xff), "203.0.113.9");
        assert_eq!(seen("10.1.1.1", "x-forwarded-for", &xff), "198.51.100.7");
        assert_eq!(seen("::ffff:10.1.1.1", "x-forwarded-for", &xff), "198.51.100.7");
    }

    #[test]
    fn the_client_is_the_right_most_address_that_is_no_trusted_proxy() {
        for (header, client) in [
            ("1.1.1.1, 198.51.100.7", "198.51.100.7"),
            ("1.1.1.1, 198.51.100.7, 10.2.2.2", "198.51.100.7"),
            ("1.1.1.1,198.51.100.7:4711,fd00::1", "198.51.100.7"),
            ("[2001:db8::17]:4711", "2001:db8::17"),
            ("10.3.3.3, 10.2.2.2", "10.3.3.3"),
            // Beyond a hop that names nobody, anybody could have written.
            ("198.51.100.7, unknown", "10.1.1.1"),
            ("198.51.100.7, unknown, 10.2.2.2", "10.2.2.2"),
            ("", "10.1.1.1"),
        ] {
            assert_eq!(
                seen("10.1.1.1", "x-forwarded-for", &[("x-forwarded-for", header)]),
                client,
                "{header}"
            );
        }
        let twice = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "198.51.100.7, 10.2.2.2")];
        assert_eq!(seen("10.1.1.1", "x-forwarded-for", &twice), "198.51.100.7");
    }

    #[test]
    fn the_header_that_the_proxies_do_not_write_is_never_read() {
        let forged = [("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "198.51.100.7")];
        assert_eq!(seen("10.1.1.1", "x-forwarded-for", &forged), "198.51.100.7");
        let forged = [("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=198.51.100.7;proto=https")];
        assert_eq!(seen("10.1.1.1", "forwarded", &forged), "198.51.100.7");
    }

    #[test]
    fn the_forwarded_header_is_read_as_its_rfc_spells_it() {
        for (header, client) in [
            ("for=1.1.1.1, For=\"198.51.100.7:80\";proto=https;by=10.2.2.2", "198.51.100.7"),
            ("for=\"[2001:db8::17]:4711\"", "2001:db8::17"),
            ("for=198.51.100.7, for=_hidden", "10.1.1.1"),
            ("proto=https", "10.1.1.1"),
        ] {
            assert_eq!(seen("10.1.1.1", "forwarded", &[("forwarded", header)]), client, "{header}");
        }
    }
}
