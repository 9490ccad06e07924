use std::{
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
};

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Abort,
    Panic,
}

/// When it happens.
#[derive(Debug)]
enum Trigger {
    /// At this many more visits.
    Visit(AtomicU32),
    /// Whenever the bytes looked at contain this.
    Marker(Vec<u8>),
}

#[derive(Debug)]
struct Failpoint {
    point: String,
    act: Act,
    trigger: Trigger,
}

/// Which points are armed, and with what: `point=abort`, `point=abort@7` (at the seventh visit), `point=panic:MARKER` or
/// `point=abort:MARKER` (when the bytes contain it), separated by commas.
#[derive(Debug, Default)]
pub struct Plan(Vec<Failpoint>);

/// A text that is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected point=abort, point=abort@VISIT, point=abort:MARKER or point=panic:MARKER, found {0:?}"
)]
pub struct BadPlan(String);

impl Plan {
    /// Whether this visit is the one at which the process dies.
    pub fn hit(&self, point: &str) -> bool {
        self.0.iter().any(|failpoint| match &failpoint.trigger {
            Trigger::Visit(left) => failpoint.point == point && is_last(left),
            Trigger::Marker(_) => false,
        })
    }

    pub(crate) fn poisoned(&self, point: &str, bytes: &[u8]) -> Option<Act> {
        let hit = self.0.iter().find(|failpoint| match &failpoint.trigger {
            Trigger::Visit(_) => false,
            Trigger::Marker(marker) => failpoint.point == point && contains(bytes, marker),
        })?;
        Some(hit.act)
    }
}

fn is_last(left: &AtomicU32) -> bool {
    let before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
        left.checked_sub(1)
    });
    before == Ok(1)
}

fn contains(bytes: &[u8], marker: &[u8]) -> bool {
    bytes
        .windows(marker.len().max(1))
        .any(|window| window == marker)
}

impl FromStr for Plan {
    type Err = BadPlan;

    fn from_str(text: &str) -> Result<Self, BadPlan> {
        text.split(',')
            .filter(|part| !part.is_empty())
            .map(|part| parse(part).ok_or_else(|| BadPlan(part.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn parse(part: &str) -> Option<Failpoint> {
    let (point, what) = part.split_once('=')?;
    let (act, trigger) = if let Some((act, marker)) = what.split_once(':') {
        if marker.is_empty() {
            return None;
        }
        (act, Trigger::Marker(marker.as_bytes().to_vec()))
    } else {
        let (act, visit) = what.split_once('@').unwrap_or((what, "1"));
        let visit: u32 = visit.parse().ok().filter(|visit| *visit > 0)?;
        (act, Trigger::Visit(AtomicU32::new(visit)))
    };
    let act = match (act, &trigger) {
        ("abort", _) => Act::Abort,
        ("panic", Trigger::Marker(_)) => Act::Panic,
        _ => return None,
    };
    (!point.is_empty()).then(|| Failpoint {
        point: point.to_owned(),
        act,
        trigger,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_hit_at_its_visit_and_never_again() {
        let plan: Plan = "a=abort@3,b=abort".parse().unwrap();
        let visits: Vec<bool> = (0..5).map(|_| plan.hit("a")).collect();
        assert_eq!(visits, [false, false, true, false, false]);
        assert!(plan.hit("b"));
        assert!(!plan.hit("c"));
    }

    #[test]
    fn bytes_with_the_marker_are_poison() {
        let plan: Plan = "event=panic:SICK,file=abort:SICK".parse().unwrap();
        assert_eq!(plan.poisoned("event", b"a SICK one"), Some(Act::Panic));
        assert_eq!(plan.poisoned("file", b"SICK"), Some(Act::Abort));
        assert_eq!(plan.poisoned("event", b"a well one"), None);
        assert_eq!(plan.poisoned("other", b"SICK"), None);
        assert!(!plan.hit("event"));
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        for text in [
            "a",
            "=abort",
            "a=sleep",
            "a=panic",
            "a=abort@0",
            "a=abort@x",
            "a=panic:",
        ] {
            let error = text.parse::<Plan>().unwrap_err();
            assert_eq!(error, BadPlan(text.to_owned()));
        }
        assert!("".parse::<Plan>().is_ok());
    }
}
