use std::time::Duration;

use anyhow::Context as _;
use fastrand::Rng;
use meta_simulator::{Effect, Endpoint, Fault};
use stage::Lab;
use tokio::time::sleep;

use super::HOLD;
use crate::world::World;

/// How the provider may treat some of the labs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Misbehaviour {
    /// Takes half a minute before it looks at the call.
    Slow,
    /// Takes the message and answers too late.
    AnswersLate,
    HangsInTheBody,
    AnswersGarbage,
    /// A proxy's page instead of an answer; the message was taken or not.
    Page {
        accepted: bool,
    },
    Resets,
    Refuses(u32),
    MediaRefused(u32),
    AcceptsAndDrops,
    /// Takes the message, and never a word of it.
    Swallows,
    TokenExpires,
}

/// Labs that it happens to at a time.
const LABS: usize = 4;

impl Misbehaviour {
    pub(super) const ALL: [(&'static str, Self); 21] = [
        ("the provider is slow", Self::Slow),
        ("the provider swallows messages", Self::Swallows),
        ("the provider answers late", Self::AnswersLate),
        ("the provider hangs in the body", Self::HangsInTheBody),
        ("the provider answers no JSON", Self::AnswersGarbage),
        (
            "the provider accepts behind a 502",
            Self::Page { accepted: true },
        ),
        (
            "the provider refuses behind a 502",
            Self::Page { accepted: false },
        ),
        ("the provider resets", Self::Resets),
        ("the provider accepts and drops", Self::AcceptsAndDrops),
        ("the provider fails (131000)", Self::Refuses(131_000)),
        ("the provider is down (2)", Self::Refuses(2)),
        (
            "the provider is unavailable (131016)",
            Self::Refuses(131_016),
        ),
        ("the provider refuses files (2)", Self::MediaRefused(2)),
        ("the app is throttled (4)", Self::Refuses(4)),
        ("the account is throttled (80007)", Self::Refuses(80_007)),
        ("the number is throttled (130429)", Self::Refuses(130_429)),
        (
            "the portfolio is throttled (131048)",
            Self::Refuses(131_048),
        ),
        ("the pair is throttled (131056)", Self::Refuses(131_056)),
        (
            "the number is in maintenance (131057)",
            Self::Refuses(131_057),
        ),
        ("the template is paused (132015)", Self::Refuses(132_015)),
        ("a token expires and comes back", Self::TokenExpires),
    ];

    pub(super) async fn inject(self, world: &World, rng: &mut Rng) -> anyhow::Result<()> {
        let mut labs = world.platform.labs.clone();
        rng.shuffle(&mut labs);
        labs.truncate(LABS);
        world.expect_effects_for(self.tail()).await;
        if matches!(self, Self::TokenExpires) {
            return expire_tokens(world, &labs).await;
        }
        let faults = world.platform.provider.simulator().faults().clone();
        let ordered: Vec<u64> = labs
            .iter()
            .flat_map(|lab| {
                self.orders()
                    .into_iter()
                    .map(|it| it.number(lab.phone_number_id()))
            })
            .map(|fault| faults.add(fault))
            .collect();
        sleep(HOLD).await;
        for order in ordered {
            faults.remove(order);
        }
        Ok(())
    }

    /// How long after its end it may still do something.
    fn tail(self) -> Duration {
        match self {
            Self::Slow => Duration::from_secs(35) + HOLD,
            _ => Duration::from_secs(10),
        }
    }

    fn orders(self) -> Vec<Fault> {
        let effects = match self {
            Self::Slow => vec![Effect::Latency { ms: 30_000 }],
            Self::AnswersLate => vec![Effect::AnswerLate { ms: 8000 }],
            Self::HangsInTheBody => vec![Effect::AnswerHalf { ms: 8000 }],
            Self::AnswersGarbage => vec![Effect::AnswerGarbage],
            Self::Page { accepted } => vec![Effect::AnswerPage {
                status: 502,
                accepted,
            }],
            Self::Resets => vec![Effect::RejectAfterBody],
            Self::AcceptsAndDrops => vec![Effect::AcceptThenDrop],
            Self::Swallows => vec![Effect::AcceptThenDrop, Effect::NoStatuses],
            Self::Refuses(code) => return vec![Fault::error(code)],
            Self::MediaRefused(code) => return vec![Fault::error(code).on(Endpoint::Media)],
            Self::TokenExpires => Vec::new(),
        };
        effects.into_iter().map(Fault::new).collect()
    }
}

async fn expire_tokens(world: &World, labs: &[Lab]) -> anyhow::Result<()> {
    let simulator = world.platform.provider.simulator();
    for lab in labs {
        let expired = simulator.expire_token(&lab.token());
        expired.then_some(()).context("the token is unknown")?;
    }
    sleep(HOLD).await;
    for lab in labs {
        simulator.repair_token(&lab.token());
    }
    Ok(())
}
