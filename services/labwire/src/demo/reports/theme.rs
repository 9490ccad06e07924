use super::{canvas::Ink, dice::Dice, emblem::Emblem};

/// A lab's colours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Palette {
    pub(super) primary: Ink,
    pub(super) deep: Ink,
    pub(super) tint: Ink,
    pub(super) accent: Ink,
}

const fn palette(primary: Ink, deep: Ink, tint: Ink, accent: Ink) -> Palette {
    Palette {
        primary,
        deep,
        tint,
        accent,
    }
}

const PALETTES: [Palette; 8] = [
    palette(
        Ink(0, 121, 107),
        Ink(0, 77, 64),
        Ink(232, 245, 243),
        Ink(255, 179, 0),
    ),
    palette(
        Ink(40, 66, 153),
        Ink(26, 35, 106),
        Ink(235, 238, 248),
        Ink(0, 172, 193),
    ),
    palette(
        Ink(142, 26, 74),
        Ink(92, 11, 48),
        Ink(250, 236, 242),
        Ink(240, 152, 60),
    ),
    palette(
        Ink(2, 108, 178),
        Ink(1, 67, 120),
        Ink(231, 243, 251),
        Ink(111, 191, 68),
    ),
    palette(
        Ink(46, 125, 50),
        Ink(22, 82, 28),
        Ink(235, 245, 236),
        Ink(3, 136, 209),
    ),
    palette(
        Ink(188, 72, 22),
        Ink(121, 42, 10),
        Ink(253, 240, 233),
        Ink(38, 98, 130),
    ),
    palette(
        Ink(88, 58, 158),
        Ink(55, 32, 110),
        Ink(241, 237, 249),
        Ink(230, 81, 122),
    ),
    palette(
        Ink(38, 70, 83),
        Ink(20, 43, 53),
        Ink(234, 240, 242),
        Ink(231, 111, 81),
    ),
];

#[derive(Debug, Clone, Copy)]
pub(super) enum Header {
    Band,
    Rule,
    Centred,
}

/// A lab's look. It follows from its name, so that all its reports share it.
pub(super) struct Theme {
    pub(super) palette: Palette,
    pub(super) emblem: Emblem,
    pub(super) header: Header,
}

impl Theme {
    pub(super) fn of(lab_name: &str) -> Self {
        let mut dice = Dice::new(0, lab_name);
        Self {
            palette: *dice.pick(&PALETTES),
            emblem: *dice.pick(&[
                Emblem::Cross,
                Emblem::Drop,
                Emblem::Flask,
                Emblem::Pulse,
                Emblem::Leaf,
            ]),
            header: *dice.pick(&[Header::Band, Header::Rule, Header::Centred]),
        }
    }
}
