/// Which limit a provider says was exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ThrottleScope {
    App,
    Waba,
    Phone,
    /// One sender number to one recipient.
    Pair,
    Portfolio,
}

named!(ThrottleScope, "throttle scope", {
    App => "app",
    Waba => "waba",
    Phone => "phone",
    Pair => "pair",
    Portfolio => "portfolio",
});

/// What a provider's error means for us: what is done next, and who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// The provider stumbled; try again later.
    Retry,
    /// A limit was exceeded: slow down there, no attempt is spent.
    Throttle(ThrottleScope),
    /// The access token is not good; hold until it is replaced.
    Credential,
    /// The number or its account may not send; hold until that is solved.
    Account,
    /// The request can never succeed.
    Permanent,
    /// The template is missing, paused or does not match.
    Template,
    /// This patient cannot be reached over this channel.
    Unreachable,
    /// The provider refuses on policy grounds.
    Policy,
}

named!(ErrorClass, "error class", {
    Retry => "retry",
    Throttle(ThrottleScope::App) => "throttle_app",
    Throttle(ThrottleScope::Waba) => "throttle_waba",
    Throttle(ThrottleScope::Phone) => "throttle_phone",
    Throttle(ThrottleScope::Pair) => "throttle_pair",
    Throttle(ThrottleScope::Portfolio) => "throttle_portfolio",
    Credential => "credential",
    Account => "account",
    Permanent => "permanent",
    Template => "template",
    Unreachable => "unreachable",
    Policy => "policy",
});
