//! Which addresses are safe to call on behalf of a stranger. Knows no DNS and makes no connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Which addresses a tenant's URL may lead to. The URL is a stranger's input: without this, it could make us knock at
/// doors that only we can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Endpoints on this machine, also without TLS.
    pub allow_loopback: bool,
}

/// Why a URL or an address is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    #[error("the endpoint's URL cannot be read")]
    Unreadable,
    #[error("the endpoint's URL is not https")]
    NotEncrypted,
    #[error("the endpoint's address is not a public one")]
    NotPublic,
}

const LOCALHOST: &str = "localhost";

/// Not for the public, by the IANA registry of special-purpose addresses.
const SPECIAL_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Shared by carriers.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local, and where clouds keep their credentials.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
    // A public number that is the host's own service to its machines, in Azure.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
];

/// All that was ever given to the public lies in here.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Within it, not for the public.
const SPECIAL_V6: &[(Ipv6Addr, u32)] = &[
    // Protocol assignments, Teredo among them.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

impl AddressPolicy {
    /// What can be said without resolving the name. An address in the URL is judged here: it passes no resolver.
    pub fn check_url(self, url: &Url) -> Result<(), Forbidden> {
        match url.scheme() {
            "https" => {}
            "http" if self.allow_loopback && is_local(url) => {}
            "http" => return Err(Forbidden::NotEncrypted),
            _ => return Err(Forbidden::Unreadable),
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(address.into()),
            Some(Host::Ipv6(address)) => self.check(address.into()),
            Some(Host::Domain(_)) => Ok(()),
            None => Err(Forbidden::Unreadable),
        }
    }

    /// Whether what a name resolved to may be connected to.
    pub fn check_resolved(self, name: &str, address: IpAddr) -> Result<(), Forbidden> {
        // This name alone may be spoken to without TLS, so it must not lead away from here.
        if name == LOCALHOST && !is_loopback(address) {
            return Err(Forbidden::NotPublic);
        }
        self.check(address)
    }

    fn check(self, address: IpAddr) -> Result<(), Forbidden> {
        if is_public(address) || (self.allow_loopback && is_loopback(address)) {
            Ok(())
        } else {
            Err(Forbidden::NotPublic)
        }
    }
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_loopback(address.into()),
        Some(Host::Ipv6(address)) => is_loopback(address.into()),
        Some(Host::Domain(name)) => name == LOCALHOST,
        None => false,
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|range| contains_v4(*range, address)),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public(inner.into()),
            None => {
                contains_v6(GLOBAL_V6, address)
                    && !SPECIAL_V6.iter().any(|range| contains_v6(*range, address))
            }
        },
    }
}

/// The IPv4 address that packets to this one end up at: mapped, through NAT64, or by 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., g, h] = address.segments();
    let (high, low) = match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => (g, h),
        [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

fn contains_v4((network, prefix): (Ipv4Addr, u32), address: Ipv4Addr) -> bool {
    (network.to_bits() ^ address.to_bits()).leading_zeros() >= prefix
}

fn contains_v6((network, prefix): (Ipv6Addr, u32), address: Ipv6Addr) -> bool {
    (network.to_bits() ^ address.to_bits()).leading_zeros() >= prefix
}

#[cfg(test)]
mod tests;
