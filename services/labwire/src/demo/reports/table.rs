use super::{
    Language,
    canvas::{
        Area, BLACK, Canvas, GREY, Ink, RULE, WHITE, area, bold, measure, polygon, regular, shrunk,
    },
    document::{LEFT, RIGHT},
    labels,
    panel::{Band, Flag, Guide, Measurement, Reference, Tone, Value},
    theme::Palette,
};

pub(super) const HEAD_HEIGHT: f32 = 21.0;
pub(super) const TITLE_HEIGHT: f32 = 17.0;
pub(super) const ROW_HEIGHT: f32 = 20.5;
pub(super) const GUIDE_HEIGHT: f32 = 57.0;

const NAME: f32 = LEFT + 8.0;
const RESULT_END: f32 = LEFT + 262.0;
const UNIT: f32 = LEFT + 286.0;
const REFERENCE: f32 = LEFT + 362.0;
const BAR: f32 = LEFT + 446.0;
const BAR_WIDTH: f32 = 70.0;

const LOW: Ink = Ink(21, 101, 192);
const HIGH: Ink = Ink(198, 40, 40);
const GOOD: Ink = Ink(46, 125, 50);
const WATCH: Ink = Ink(245, 158, 11);
const TRACK: Ink = Ink(226, 230, 234);
const NORMAL_TRACK: Ink = Ink(165, 214, 167);

pub(super) fn draw_head(canvas: &mut Canvas<'_, '_>, language: Language, palette: Palette, y: f32) {
    let style = bold(8.0, WHITE);
    let baseline = y + 13.0;
    canvas.fill_rounded(
        area(LEFT, y, RIGHT - LEFT, HEAD_HEIGHT - 2.0),
        2.5,
        palette.deep,
    );
    canvas.write((NAME, baseline), style, labels::TEST.to(language));
    canvas.write_left_of((RESULT_END, baseline), style, labels::RESULT.to(language));
    canvas.write((UNIT, baseline), style, labels::UNIT.to(language));
    canvas.write((REFERENCE, baseline), style, labels::REFERENCE.to(language));
    let middle = BAR + BAR_WIDTH / 2.0;
    canvas.write_centred(
        (middle, baseline),
        regular(5.8, WHITE),
        labels::POSITION.to(language),
    );
}

pub(super) fn draw_title(canvas: &mut Canvas<'_, '_>, title: &str, palette: Palette, y: f32) {
    canvas.fill(
        area(LEFT, y + 1.0, RIGHT - LEFT, TITLE_HEIGHT - 2.0),
        palette.tint,
    );
    canvas.fill(
        area(LEFT, y + 1.0, 2.5, TITLE_HEIGHT - 2.0),
        palette.primary,
    );
    canvas.write((NAME, y + 12.0), bold(8.4, palette.deep), title);
}

pub(super) fn draw_row(canvas: &mut Canvas<'_, '_>, language: Language, row: &Measurement, y: f32) {
    let ink = row.flag.map_or(BLACK, flag_ink);
    // English readers see how it was measured, Hindi readers the name their doctor uses.
    let below = match language {
        Language::English => row.method,
        Language::Hindi => row.name.english,
    };
    canvas.write_within(
        (NAME, y + 9.6),
        186.0,
        regular(8.6, BLACK),
        row.name.to(language),
    );
    canvas.write_within((NAME, y + 17.2), 186.0, regular(6.1, GREY), below);
    let result = row.result(language);
    let style = if row.flag.is_some() {
        bold(9.2, ink)
    } else {
        regular(9.2, ink)
    };
    canvas.write_left_of((RESULT_END, y + 13.2), shrunk(style, 84.0, result), result);
    if let Some(flag) = row.flag {
        draw_flag(canvas, flag, (RESULT_END + 6.0, y + 13.0));
    }
    canvas.write_within(
        (UNIT, y + 13.0),
        REFERENCE - UNIT - 6.0,
        regular(8.0, GREY),
        row.unit,
    );
    let reference = row.reference(language);
    canvas.write_within(
        (REFERENCE, y + 13.0),
        BAR - REFERENCE - 6.0,
        regular(8.2, BLACK),
        &reference,
    );
    if let Value::Number {
        value, reference, ..
    } = row.value
    {
        draw_bar(canvas, (value, reference), ink, y + 8.8);
    }
    canvas.fill(area(LEFT, y + ROW_HEIGHT - 0.5, RIGHT - LEFT, 0.5), RULE);
}

fn flag_ink(flag: Flag) -> Ink {
    match flag {
        Flag::Low => LOW,
        Flag::High | Flag::Abnormal => HIGH,
    }
}

/// A triangle up or down with its letter; a star where there is no up or down.
fn draw_flag(canvas: &mut Canvas<'_, '_>, flag: Flag, (x, y): (f32, f32)) {
    let ink = flag_ink(flag);
    let (base, tip, letter) = match flag {
        Flag::Low => (y - 5.0, y, "L"),
        Flag::High => (y, y - 5.0, "H"),
        Flag::Abnormal => {
            canvas.write((x, y + 0.6), bold(9.0, ink), "*");
            return;
        }
    };
    canvas.fill_path(polygon(&[(x, base), (x + 5.0, base), (x + 2.5, tip)]), ink);
    canvas.write((x + 6.2, y), bold(6.6, ink), letter);
}

/// Where a value lies: the green part of the track is the reference.
fn draw_bar(canvas: &mut Canvas<'_, '_>, (value, reference): (f32, Reference), ink: Ink, y: f32) {
    let (from, to, good_from, good_to) = match reference {
        Reference::Between(low, high) => {
            let margin = (high - low) * 0.5;
            (low - margin, high + margin, low, high)
        }
        Reference::Below(limit) => (0.0, limit * 1.6, 0.0, limit),
        Reference::Above(limit) => (0.0, limit * 2.2, limit, limit * 2.2),
    };
    let place = |number: f32| BAR + BAR_WIDTH * ((number - from) / (to - from)).clamp(0.0, 1.0);
    let track = area(BAR, y, BAR_WIDTH, 3.0);
    canvas.fill_rounded(track, 1.5, TRACK);
    let (left, right) = (place(good_from), place(good_to));
    canvas.fill_rounded(
        Area {
            x: left,
            width: right - left,
            ..track
        },
        1.5,
        NORMAL_TRACK,
    );
    let centre = (place(value), y + 1.5);
    canvas.circle(centre, 3.6, WHITE);
    canvas.circle(centre, 2.7, if ink == BLACK { GOOD } else { ink });
}

pub(super) fn draw_guide(canvas: &mut Canvas<'_, '_>, language: Language, guide: &Guide, y: f32) {
    canvas.write((LEFT, y + 16.0), bold(8.2, BLACK), guide.title.to(language));
    let gap = 5.0;
    let count: f32 = guide.bands.iter().map(|_| 1.0).sum();
    let width = (RIGHT - LEFT + gap) / count - gap;
    let mut x = LEFT;
    for (index, band) in guide.bands.iter().enumerate() {
        let current = guide.current() == Some(index);
        draw_band(
            canvas,
            (band, current),
            language,
            area(x, y + 22.0, width, 29.0),
        );
        x += width + gap;
    }
}

fn draw_band(
    canvas: &mut Canvas<'_, '_>,
    (band, current): (&Band, bool),
    language: Language,
    frame: Area,
) {
    let tone = match band.tone {
        Tone::Good => GOOD,
        Tone::Watch => WATCH,
        Tone::Alert => HIGH,
    };
    let (label_ink, range_ink) = if current {
        (WHITE, WHITE)
    } else {
        (BLACK, GREY)
    };
    if current {
        canvas.fill_rounded(frame, 3.0, tone);
    } else {
        canvas.outline(frame, 3.0, RULE);
        canvas.fill(area(frame.x + 3.0, frame.y, frame.width - 6.0, 1.8), tone);
    }
    let middle = frame.x + frame.width / 2.0;
    let label = band.label.to(language);
    canvas.write_centred(
        (middle, frame.y + 13.0),
        shrunk(bold(8.2, label_ink), frame.width - 10.0, label),
        label,
    );
    canvas.write_centred(
        (middle, frame.y + 23.6),
        regular(7.6, range_ink),
        band.range,
    );
    if current {
        let half = measure(bold(8.2, label_ink), label).min(frame.width - 10.0) / 2.0;
        let x = (middle - half - 8.0).max(frame.x + 4.0);
        canvas.circle((x, frame.y + 10.2), 1.8, WHITE);
    }
}
