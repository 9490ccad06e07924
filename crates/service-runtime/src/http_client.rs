//! HTTP clients with a limit on every wait. Knows no endpoint.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, dns::Resolve, redirect, retry};

/// How long each step of a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Duration,
    /// Between two reads of the response.
    pub read: Duration,
    /// From the call to the end of the body.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            read: Duration::from_secs(10),
            total: Duration::from_secs(30),
        }
    }
}

/// A client to be. It follows no redirect and repeats no request by itself: one call is one attempt.
#[derive(Clone)]
#[must_use]
pub struct Builder {
    user_agent: String,
    timeouts: Timeouts,
    resolver: Option<Arc<dyn Resolve>>,
}

/// How long a connection without a request is kept.
const IDLE: Duration = Duration::from_secs(10);

/// Starts a client that calls itself `user_agent`.
pub fn new(timeouts: Timeouts, user_agent: impl Into<String>) -> Builder {
    Builder {
        user_agent: user_agent.into(),
        timeouts,
        resolver: None,
    }
}

impl Builder {
    /// Takes addresses from `resolver` alone, and therefore goes through no proxy.
    /// A URL whose host is an IP address does not pass through the resolver: the caller checks that one.
    pub fn resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    pub fn build(self) -> reqwest::Result<Client> {
        let builder = Client::builder()
            .user_agent(self.user_agent)
            .connect_timeout(self.timeouts.connect)
            .read_timeout(self.timeouts.read)
            .timeout(self.timeouts.total)
            .redirect(redirect::Policy::none())
            // Shorter than servers keep idle connections: a request written to one that is just being closed is in doubt.
            .pool_idle_timeout(IDLE)
            // A repeated request must be an attempt that the caller knows of.
            .retry(retry::never());
        match self.resolver {
            Some(resolver) => builder.dns_resolver(resolver).no_proxy().build(),
            None => builder.build(),
        }
    }
}
