use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use anyhow::Context as _;
use meta_simulator::{App, Config as SimulatorConfig, Simulator};
use queue::Broker;
use secrecy::{ExposeSecret as _, SecretString};
use service_runtime::{
    Lifecycle,
    config::{Settings as _, Source},
};
use tokio::net::TcpListener;
use vault::KeyRing;

use super::{
    api::{Api, Registered},
    cast::{self, LABS, Lab},
    lims::Lims,
    screen::Screen,
};
use crate::{all, operator};

const APP: &str = "main";

/// Everything that runs: the platform, the provider it sends to, the LIMS that use it.
pub(super) struct Stage {
    pub(super) simulator: Simulator,
    pub(super) lims: Lims,
    pub(super) api: Api,
    pub(super) labs: Vec<Tenant>,
}

/// A lab that is registered.
pub(super) struct Tenant {
    pub(super) lab: &'static Lab,
    pub(super) id: String,
    pub(super) key: SecretString,
}

impl Stage {
    pub(super) async fn set(
        database_url: &SecretString,
        files: &Path,
        lifecycle: &Lifecycle,
        screen: &mut Screen,
    ) -> anyhow::Result<Self> {
        let app_secret = vault::random_secret();
        let verify_token = vault::random_secret();
        let simulator = provider(&app_secret, lifecycle).await?;
        let lims = Lims::open(listener().await?, lifecycle)?;

        let source = settings(database_url, simulator.base_url(), files);
        let owner = operator::Config::from_source(&source)?;
        operator::migrate(&owner)
            .await
            .context("the demo wants an empty database of its own")?;
        let app = operator::AddApp {
            key: APP.to_owned(),
            app_secret,
            verify_token: verify_token.clone(),
            lab: None,
        };
        operator::add_app(&owner, &app).await?;
        let vendor_key = operator::create_vendor(&owner, "Demo LIMS").await?;

        let listeners = all::Listeners {
            api: listener().await?,
            webhook: listener().await?,
        };
        let api = Api::new(format!("http://{}", listeners.api.local_addr()?))?;
        let webhook = listeners.webhook.local_addr()?;
        let config = all::Config::from_source(&source)?;
        all::serve(config, Broker::in_process(), listeners, lifecycle.clone()).await?;
        lifecycle.until_ready().await;
        simulator
            .set_webhook(
                cast::APP_ID,
                &format!("http://{webhook}/webhooks/meta/{APP}"),
                verify_token,
            )
            .await?;
        screen.step("every service is up, and the provider has verified the webhook");

        let mut stage = Self {
            simulator,
            lims,
            api,
            labs: Vec::new(),
        };
        for lab in &LABS {
            stage.register(lab, &vendor_key, screen).await?;
        }
        Ok(stage)
    }

    async fn register(
        &mut self,
        lab: &'static Lab,
        vendor_key: &SecretString,
        screen: &mut Screen,
    ) -> anyhow::Result<()> {
        let mut body = lab.registration(&self.lims.url(lab.slug));
        if let Some(sender) = body.get_mut("sender") {
            let token = lab.token();
            sender["access_token"] = token.expose_secret().into();
            if lab.token_expired {
                self.simulator.expire_token(&token);
            }
        }
        let registered: Registered = self.api.register(vendor_key, &body).await?;
        self.lims.trust(lab.slug, &registered.callback_secret)?;
        screen.step(&format!(
            "{} is registered: {} messages a second, {} at once",
            lab.name, lab.rate_per_second, lab.burst
        ));
        self.labs.push(Tenant {
            lab,
            id: registered.lab_id,
            key: registered.api_key,
        });
        Ok(())
    }
}

/// The simulator, until the lifecycle stops.
async fn provider(app_secret: &SecretString, lifecycle: &Lifecycle) -> anyhow::Result<Simulator> {
    let mut seed = cast::provider_accounts();
    seed.apps.push(App::new(cast::APP_ID, app_secret.clone()));
    let config = SimulatorConfig {
        seed,
        ..SimulatorConfig::default()
    };
    let simulator = meta_simulator::start(config, listener().await?)?;
    let (draining, ending) = (lifecycle.draining(), simulator.clone());
    lifecycle.spawn("simulator", async move {
        draining.await;
        ending.shutdown().await;
    });
    Ok(simulator)
}

fn settings(database_url: &SecretString, graph_url: &str, files: &Path) -> Source {
    Source::from_pairs([
        (
            "LABWIRE_POSTGRES__URL",
            database_url.expose_secret().to_owned(),
        ),
        // Five services share one small server.
        ("LABWIRE_POSTGRES__MAX_CONNECTIONS", "8".to_owned()),
        ("LABWIRE_VAULT__MASTER_KEYS", KeyRing::generate_spec()),
        ("LABWIRE_VAULT__INDEX_KEY", KeyRing::generate_index_key()),
        (
            "LABWIRE_ATTACHMENTS__URL",
            format!("file://{}", files.display()),
        ),
        ("LABWIRE_GRAPH__BASE_URL", graph_url.to_owned()),
        ("LABWIRE_CALLBACKS__ALLOW_LOOPBACK", "true".to_owned()),
    ])
}

async fn listener() -> anyhow::Result<TcpListener> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Ok(service_runtime::listener(any).await?)
}
