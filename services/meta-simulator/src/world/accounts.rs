use std::collections::HashMap;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use crate::seed::{App, Business, Number, NumberState, Token};

/// Apps, business accounts, numbers and tokens.
#[derive(Default)]
pub(crate) struct Accounts {
    apps: HashMap<String, App>,
    businesses: HashMap<String, BusinessRecord>,
    numbers: HashMap<String, NumberRecord>,
    tokens: HashMap<String, Token>,
}

pub(crate) struct BusinessRecord {
    pub(crate) business: Business,
    pub(crate) subscriptions: Vec<Subscription>,
}

/// An app that gets an account's webhooks, at its own callback or at another.
#[derive(Clone)]
pub(crate) struct Subscription {
    pub(crate) app_id: String,
    pub(crate) override_callback: Option<String>,
}

#[derive(Clone)]
pub(crate) struct NumberRecord {
    pub(crate) phone_number_id: String,
    pub(crate) waba_id: String,
    pub(crate) display_phone_number: String,
    pub(crate) verified_name: String,
    pub(crate) throughput: u32,
    pub(crate) state: NumberState,
    pub(crate) pin: Option<SecretString>,
    pub(crate) registrations: Vec<DateTime<Utc>>,
    pub(crate) override_callback: Option<String>,
}

/// What a valid token may touch.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) app_id: String,
    pub(crate) waba_ids: Vec<String>,
    pub(crate) scopes: Vec<String>,
}

impl Access {
    pub(crate) fn reaches(&self, waba_id: &str) -> bool {
        self.waba_ids.is_empty() || self.waba_ids.iter().any(|reached| reached == waba_id)
    }

    pub(crate) fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BadToken {
    Unknown,
    Expired,
}

/// Where one app wants to hear of a webhook, and the key to sign it with.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) app_id: String,
    pub(crate) url: String,
    pub(crate) secret: SecretString,
}

impl Accounts {
    pub(crate) fn add_app(&mut self, app: App) {
        self.apps.insert(app.app_id.clone(), app);
    }

    pub(crate) fn app(&self, app_id: &str) -> Option<&App> {
        self.apps.get(app_id)
    }

    pub(crate) fn set_callback(&mut self, app_id: &str, url: String, verify_token: SecretString) {
        if let Some(app) = self.apps.get_mut(app_id) {
            app.callback_url = Some(url);
            app.verify_token = Some(verify_token);
        }
    }

    pub(crate) fn add_business(&mut self, business: Business) {
        let subscriptions = business.subscribed_apps.iter();
        let subscriptions = subscriptions
            .map(|app| Subscription {
                app_id: app.clone(),
                override_callback: None,
            })
            .collect();
        self.businesses.insert(
            business.waba_id.clone(),
            BusinessRecord {
                business,
                subscriptions,
            },
        );
    }

    pub(crate) fn business(&self, waba_id: &str) -> Option<&BusinessRecord> {
        self.businesses.get(waba_id)
    }

    pub(crate) fn business_mut(&mut self, waba_id: &str) -> Option<&mut BusinessRecord> {
        self.businesses.get_mut(waba_id)
    }

    /// The portfolio an account belongs to; one without is its own.
    pub(crate) fn portfolio(&self, waba_id: &str) -> String {
        let portfolio = self
            .businesses
            .get(waba_id)
            .and_then(|record| record.business.portfolio_id.clone());
        portfolio.unwrap_or_else(|| waba_id.to_owned())
    }

    pub(crate) fn messaging_limit(&self, waba_id: &str) -> Option<u32> {
        self.businesses.get(waba_id)?.business.messaging_limit
    }

    pub(crate) fn add_number(&mut self, number: Number) {
        let record = NumberRecord {
            phone_number_id: number.phone_number_id.clone(),
            waba_id: number.waba_id,
            display_phone_number: number.display_phone_number,
            verified_name: number.verified_name,
            throughput: number.throughput,
            state: number.state,
            pin: number.pin,
            registrations: Vec::new(),
            override_callback: None,
        };
        self.numbers.insert(number.phone_number_id, record);
    }

    pub(crate) fn number(&self, phone_number_id: &str) -> Option<&NumberRecord> {
        self.numbers.get(phone_number_id)
    }

    pub(crate) fn number_mut(&mut self, phone_number_id: &str) -> Option<&mut NumberRecord> {
        self.numbers.get_mut(phone_number_id)
    }

    pub(crate) fn numbers_of(&self, waba_id: &str) -> Vec<&NumberRecord> {
        let mut numbers: Vec<_> = self
            .numbers
            .values()
            .filter(|number| number.waba_id == waba_id)
            .collect();
        numbers.sort_by(|left, right| left.phone_number_id.cmp(&right.phone_number_id));
        numbers
    }

    pub(crate) fn add_token(&mut self, token: Token) {
        self.tokens
            .insert(token.token.expose_secret().to_owned(), token);
    }

    pub(crate) fn token(&self, token: &str) -> Option<&Token> {
        self.tokens.get(token)
    }

    /// Changes when a token ends: now to expire it, never to repair it. False if it was never issued.
    pub(crate) fn set_token_expiry(
        &mut self,
        token: &str,
        expires_at: Option<DateTime<Utc>>,
    ) -> bool {
        let Some(token) = self.tokens.get_mut(token) else {
            return false;
        };
        token.expires_at = expires_at;
        true
    }

    pub(crate) fn access(&self, token: &str, now: DateTime<Utc>) -> Result<Access, BadToken> {
        if let Some(access) = self.app_access(token) {
            return Ok(access);
        }
        let token = self.tokens.get(token).ok_or(BadToken::Unknown)?;
        if token.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(BadToken::Expired);
        }
        Ok(Access {
            app_id: token.app_id.clone(),
            waba_ids: token.waba_ids.clone(),
            scopes: token.scopes.clone(),
        })
    }

    /// An app token is `{app id}|{app secret}`: it speaks for the app, and reaches no account.
    fn app_access(&self, token: &str) -> Option<Access> {
        let (app_id, secret) = token.split_once('|')?;
        let app = self.apps.get(app_id)?;
        (app.app_secret.expose_secret() == secret).then(|| Access {
            app_id: app_id.to_owned(),
            waba_ids: vec![String::new()],
            scopes: Vec::new(),
        })
    }

    /// Number override, then account override, then the app's own callback.
    pub(crate) fn targets(&self, waba_id: &str, phone_number_id: Option<&str>) -> Vec<Target> {
        let Some(record) = self.businesses.get(waba_id) else {
            return Vec::new();
        };
        let number = phone_number_id.and_then(|id| self.numbers.get(id));
        let number_override = number.and_then(|number| number.override_callback.as_ref());
        let target = |subscription: &Subscription| {
            let app = self.apps.get(&subscription.app_id)?;
            let url = number_override
                .or(subscription.override_callback.as_ref())
                .or(app.callback_url.as_ref())?
                .clone();
            Some(Target {
                app_id: app.app_id.clone(),
                url,
                secret: app.app_secret.clone(),
            })
        };
        record.subscriptions.iter().filter_map(target).collect()
    }
}
