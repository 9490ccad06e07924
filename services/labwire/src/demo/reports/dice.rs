/// A small deterministic generator (`SplitMix64`): reports must not change when a crate's algorithm does.
pub(super) struct Dice {
    state: u64,
}

impl Dice {
    /// Dice of the same seed but another purpose roll independently.
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        Self {
            state: seed ^ fingerprint(purpose),
        }
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: u16) -> u16 {
        u16::try_from(self.roll() % u64::from(end.max(1))).unwrap_or_default()
    }

    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        let share = f32::from((self.roll() >> 48) as u16) / f32::from(u16::MAX);
        low + (high - low) * share
    }

    /// Like `between`, but the middle is likelier than the ends.
    pub(super) fn around(&mut self, (low, high): (f32, f32)) -> f32 {
        f32::midpoint(self.between(low, high), self.between(low, high))
    }

    pub(super) fn pick<'a, T, const N: usize>(&mut self, options: &'a [T; N]) -> &'a T {
        let index = usize::try_from(self.roll() % (N as u64)).unwrap_or_default();
        options
            .get(index)
            .expect("an index modulo the length is inside the array")
    }
}

/// FNV-1a, which unlike the standard hasher is the same in every build.
pub(super) fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
