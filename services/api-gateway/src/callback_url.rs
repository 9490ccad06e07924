use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

const MAX_LENGTH: usize = 2048;

/// Reads the address of a callback endpoint, or says why it cannot be one. Names are resolved, and their addresses
/// checked again, whenever a callback is delivered.
pub(crate) fn parse(text: &str, allow_loopback: bool) -> Result<Url, &'static str> {
    if text.len() > MAX_LENGTH {
        return Err("expected at most 2048 characters");
    }
    let url = Url::parse(text).map_err(|_| "expected a URL like https://lims.example/callback")?;
    let host = url.host().ok_or("expected a URL with a host")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("expected a URL without user name and password");
    }
    let loopback = is_loopback(&host);
    if loopback && !allow_loopback {
        return Err("expected an address outside of this machine");
    }
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
        return Err("expected a URL that starts with https://");
    }
    if !loopback && !is_public(&host) {
        return Err("expected an address on the public internet");
    }
    Ok(url)
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.to_canonical().is_loopback(),
    }
}

fn is_public(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(_) => true,
        Host::Ipv4(address) => is_public_v4(*address),
        Host::Ipv6(address) => match address.to_canonical() {
            IpAddr::V4(address) => is_public_v4(address),
            IpAddr::V6(address) => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    let carrier_grade = first == 100 && (64..128).contains(&second);
    let benchmark = first == 198 && (18..20).contains(&second);
    !(first == 0
        || first >= 224
        || carrier_grade
        || benchmark
        || address.is_private()
        || address.is_link_local()
        || address.is_documentation())
}

/// Global unicast is `2000::/3`; what embeds an IPv4 address (6to4, Teredo) or documents is not for callbacks.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let embeds = first == 0x2002 || (first == 0x2001 && second == 0);
    let documents = first == 0x2001 && second == 0x0db8;
    first & 0xe000 == 0x2000 && !embeds && !documents
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn public_https_addresses_are_taken() {
        for url in [
            "https://lims.example/callback?lab=1",
            "https://lims.example:8443/",
            "https://8.8.8.8/hook",
            "https://[2a00:1450:4001::1]/",
        ] {
            assert!(parse(url, false).is_ok(), "{url}");
        }
    }

    #[test]
    fn private_addresses_are_refused_in_every_spelling() {
        for url in [
            "https://10.0.0.1/",
            "https://172.16.3.4/",
            "https://192.168.1.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://100.64.0.1/",
            "https://0.0.0.0/",
            "https://224.0.0.1/",
            "https://3232235777/",
            "https://0xc0.0xa8.1.1/",
            "https://[::ffff:10.0.0.1]/",
            "https://[fd00::1]/",
            "https://[fe80::1]/",
            "https://[64:ff9b::a00:1]/",
            "https://[2002:a00:1::]/",
            "https://[::]/",
        ] {
            assert!(parse(url, true).is_err(), "{url}");
        }
    }

    #[test]
    fn loopback_is_for_development_only() {
        for url in [
            "http://127.0.0.1:9000/hook",
            "http://localhost/hook",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
        ] {
            assert!(parse(url, true).is_ok(), "{url}");
            assert!(parse(url, false).is_err(), "{url}");
        }
    }

    #[test]
    fn other_schemes_and_credentials_are_refused() {
        for url in [
            "http://lims.example/",
            "ftp://lims.example/",
            "file:///etc/passwd",
            "https://user:secret@lims.example/",
            "lims.example",
            "",
        ] {
            assert!(parse(url, true).is_err(), "{url}");
        }
    }
}
