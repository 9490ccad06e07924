use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::{AddressPolicy, Forbidden};

/// The machine's own resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDns;

impl Resolve for SystemDns {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Keeps what may be connected to of what another resolver finds. The client connects to what passes here and asks no
/// second time: an answer that changes between the look and the call gains nothing.
pub(crate) struct Filtered {
    pub(crate) inner: Arc<dyn Resolve>,
    pub(crate) policy: AddressPolicy,
}

impl Resolve for Filtered {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, host) = (self.policy, name.as_str().to_owned());
        let found = self.inner.resolve(name);
        Box::pin(async move {
            let permitted = |address: IpAddr| policy.check_resolved(&host, address).is_ok();
            let found: Vec<SocketAddr> = found.await?.collect();
            if found.is_empty() {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            let allowed: Vec<SocketAddr> =
                found.into_iter().filter(|it| permitted(it.ip())).collect();
            if allowed.is_empty() {
                return Err(Forbidden::NotPublic.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
