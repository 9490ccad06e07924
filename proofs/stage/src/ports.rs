use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

use anyhow::{Context as _, bail};

/// Below what the kernel gives to outgoing connections: a process that is started again must find its port free.
const FIRST: u16 = 10_000;
const DEFAULT_LAST: u16 = 30_000;
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Different loopback addresses on which nobody listens.
pub(crate) fn free_addresses(count: usize) -> anyhow::Result<Vec<SocketAddr>> {
    let last = fs::read_to_string(EPHEMERAL).ok();
    let last = last.and_then(|text| text.split_whitespace().next()?.parse().ok());
    let last = last.unwrap_or(DEFAULT_LAST).max(FIRST + 1000);
    let mut held = Vec::with_capacity(count);
    for _ in 0..count * 200 {
        if held.len() == count {
            break;
        }
        let port = fastrand::u16(FIRST..last);
        // All of them are held until the last is found.
        held.extend(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    }
    if held.len() < count {
        bail!("there are no {count} free ports between {FIRST} and {last}");
    }
    held.iter()
        .map(|listener| listener.local_addr().context("a bound port has an address"))
        .collect()
}
