/// What a work row asks for; each kind has its own handler and queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkKind {
    Send,
    Event,
    Callback,
}

named!(WorkKind, "kind of work", {
    Send => "send",
    Event => "event",
    Callback => "callback",
});

/// Which work of a flow goes first. A campaign never delays a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum Lane {
    Reply = 0,
    Report = 1,
    Bulk = 2,
}

named!(Lane, "lane", {
    Reply => "reply",
    Report => "report",
    Bulk => "bulk",
});

impl Lane {
    /// The stored form; the lowest goes first.
    pub const fn as_i16(self) -> i16 {
        self as i16
    }
}

/// A number that stands for no lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown lane {0}, expected 0, 1 or 2")]
pub struct UnknownLane(i16);

impl TryFrom<i16> for Lane {
    type Error = UnknownLane;

    fn try_from(number: i16) -> Result<Self, Self::Error> {
        match number {
            0 => Ok(Self::Reply),
            1 => Ok(Self::Report),
            2 => Ok(Self::Bulk),
            other => Err(UnknownLane(other)),
        }
    }
}
