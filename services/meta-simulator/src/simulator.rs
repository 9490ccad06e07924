use std::{io, sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{
    clock::Clock,
    config::Config,
    engine::{Engine, template_update},
    errors::trace_id,
    faults::Faults,
    json::Fields,
    ledger::Ledger,
    seed::{App, Business, Number, NumberState, Recipient, Template, Token},
    server,
    webhooks::{HandshakeError, Update, handshake, run_schedule},
};

/// How long a stopping simulator waits for calls under way.
const DRAIN: Duration = Duration::from_secs(5);

/// Starts a simulator on a listener that is already bound. It runs until [`Simulator::shutdown`] or the runtime's end.
pub fn start(config: Config, listener: TcpListener) -> io::Result<Simulator> {
    let base_url = format!("http://{}", listener.local_addr()?);
    let (engine, timed) = Engine::new(config, base_url).map_err(io::Error::other)?;
    engine.spawn(run_schedule(Arc::clone(&engine), timed));
    let simulator = Simulator { engine };
    simulator
        .engine
        .spawn(server::serve(simulator.clone(), listener));
    Ok(simulator)
}

/// A running simulator: what the control API under `/_sim/` can do, without HTTP. Clones are the same simulator.
#[derive(Clone)]
pub struct Simulator {
    engine: Arc<Engine>,
}

impl Simulator {
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// `http://address:port`, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.engine.base_url
    }

    /// What was accepted.
    pub fn ledger(&self) -> &Ledger {
        &self.engine.ledger
    }

    /// What goes wrong.
    pub fn faults(&self) -> &Faults {
        &self.engine.faults
    }

    pub fn clock(&self) -> &Clock {
        &self.engine.clock
    }

    pub fn add_app(&self, app: App) {
        self.engine.world().accounts.add_app(app);
    }

    pub fn add_business(&self, business: Business) {
        self.engine.world().accounts.add_business(business);
    }

    pub fn add_number(&self, number: Number) {
        self.engine.world().accounts.add_number(number);
    }

    /// False if there is no such number.
    pub fn set_number_state(&self, phone_number_id: &str, state: NumberState) -> bool {
        let mut world = self.engine.world();
        world
            .accounts
            .number_mut(phone_number_id)
            .map(|number| number.state = state)
            .is_some()
    }

    /// False if there is no such number.
    pub fn set_throughput(&self, phone_number_id: &str, messages_per_second: u32) -> bool {
        let mut world = self.engine.world();
        let number = world.accounts.number_mut(phone_number_id);
        number
            .map(|number| number.throughput = messages_per_second)
            .is_some()
    }

    pub fn add_token(&self, token: Token) {
        self.engine.world().accounts.add_token(token);
    }

    /// The token is answered with 190/463 from now on. False if it was never issued.
    pub fn expire_token(&self, token: &SecretString) -> bool {
        let now = self.engine.now();
        self.engine
            .world()
            .accounts
            .set_token_expiry(token.expose_secret(), Some(now))
    }

    /// An expired token is good again. False if it was never issued.
    pub fn repair_token(&self, token: &SecretString) -> bool {
        self.engine
            .world()
            .accounts
            .set_token_expiry(token.expose_secret(), None)
    }

    /// Adds or replaces a template; the answer is its id.
    pub fn add_template(&self, template: Template) -> String {
        let mut world = self.engine.world();
        let id = world.next_id();
        world.templates.add(template, id).id
    }

    /// Decides about a template and sends the webhook that says so. False if there is no such template.
    pub fn set_template_status(&self, id: &str, status: &str, reason: Option<&str>) -> bool {
        let update = {
            let mut world = self.engine.world();
            let Some(template) = world.templates.get_mut(id) else {
                return false;
            };
            template.status = status.to_uppercase();
            reason
                .unwrap_or("NONE")
                .clone_into(&mut template.rejected_reason);
            template_update(&template.waba_id, template.status_update())
        };
        self.engine.emit(&update, None);
        true
    }

    /// Says how a person behaves; people never described are ordinary users.
    pub fn describe(&self, recipient: Recipient) {
        self.engine.world().describe(recipient);
    }

    /// Where an app's webhooks go, once the callback has answered the challenge.
    pub async fn set_webhook(
        &self,
        app_id: &str,
        callback_url: &str,
        verify_token: SecretString,
    ) -> Result<(), HandshakeError> {
        if self.engine.world().accounts.app(app_id).is_none() {
            return Err(HandshakeError::UnknownApp(app_id.to_owned()));
        }
        handshake(&self.engine.http, callback_url, &verify_token, &trace_id()).await?;
        self.engine
            .world()
            .accounts
            .set_callback(app_id, callback_url.to_owned(), verify_token);
        Ok(())
    }

    /// Sends any webhook of an account: quality, restrictions, fields nobody knows yet.
    pub fn emit(&self, waba_id: &str, field: &str, value: Value) {
        let phone_number_id = value
            .at("metadata")
            .at("phone_number_id")
            .as_str()
            .map(String::from);
        let update = Update {
            waba_id: waba_id.to_owned(),
            phone_number_id,
            field: field.to_owned(),
            value,
        };
        self.engine.emit(&update, None);
    }

    /// Everything as the seed says; faults, ledger and conversations are gone.
    pub fn reset(&self) {
        self.engine.reset();
    }

    /// Stops taking calls and sending webhooks.
    pub async fn shutdown(&self) {
        self.engine.stopped(DRAIN).await;
    }
}
