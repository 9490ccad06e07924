/// What speaks against work that its consumers were lost over, counted in deaths of a process. A process dies of many things,
/// and most of what it had in hand had no part in it: only many deaths are a proof. A panic is surely the work's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Losses(i32);

/// A work that is lost with half of all processes that take it, and is innocent, is given up once in a million times.
const TOO_MANY: i32 = 20;
/// How many deaths a panic weighs.
const PANIC: i32 = 4;

impl Losses {
    pub const fn of(deaths: i32) -> Self {
        Self(deaths)
    }

    pub const fn count(self) -> i32 {
        self.0
    }

    #[must_use]
    pub const fn and_a_panic(self) -> Self {
        Self(self.0.saturating_add(PANIC))
    }

    pub const fn any(self) -> bool {
        self.0 > 0
    }

    /// Whether the work must be given up.
    pub const fn too_many(self) -> bool {
        self.0 >= TOO_MANY
    }

    /// The number of the pause that is due after the last of them, from 1: pauses grow with what speaks against the work.
    pub const fn pause(self) -> u32 {
        let pause = self.0.unsigned_abs().div_ceil(PANIC.unsigned_abs());
        if pause == 0 { 1 } else { pause }
    }
}

#[cfg(test)]
mod tests {
    use super::Losses;

    #[test]
    fn five_panics_are_a_proof_and_twenty_deaths() {
        let panics = |times: usize| (0..times).fold(Losses::default(), |it, _| it.and_a_panic());
        assert!(!panics(4).too_many() && panics(5).too_many());
        assert!(!Losses::of(19).too_many() && Losses::of(20).too_many());
    }

    #[test]
    fn pauses_grow_with_each_panic_and_each_fourth_death() {
        let pauses = [0, 1, 4, 5, 8, 19].map(|deaths| Losses::of(deaths).pause());
        assert_eq!(pauses, [1, 1, 1, 2, 2, 5]);
    }
}
