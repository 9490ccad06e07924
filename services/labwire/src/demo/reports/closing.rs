use krilla::geom::PathBuilder;

use super::{
    Language, ReportSpec,
    canvas::{BLACK, Canvas, GREY, Ink, RULE, area, bold, polyline, regular, shrunk},
    dice::{Dice, fingerprint},
    document::{LEFT, RIGHT},
    labels,
    people::{Person, people},
    theme::Palette,
    typeface::{Weight, wrap},
    words::Words,
};

const LINE_HEIGHT: f32 = 12.5;
const TEXT_SIZE: f32 = 8.6;
const PADDING: f32 = 12.0;
pub(super) const SIGNATURES_HEIGHT: f32 = 86.0;

const SIGNING_INK: Ink = Ink(28, 49, 132);

/// The remarks as lines that fit the page.
pub(super) fn remark_lines(remarks: &[Words], language: Language) -> Vec<String> {
    let room = (RIGHT - LEFT - 2.0 * PADDING) / TEXT_SIZE;
    remarks
        .iter()
        .flat_map(|remark| wrap(remark.to(language), Weight::Regular, room))
        .collect()
}

pub(super) fn remarks_height(lines: &[String]) -> f32 {
    let text: f32 = lines.iter().map(|_| LINE_HEIGHT).sum();
    text + 57.0
}

pub(super) fn draw_remarks(
    canvas: &mut Canvas<'_, '_>,
    (lines, language): (&[String], Language),
    palette: Palette,
    y: f32,
) {
    let top = y + 12.0;
    let height = remarks_height(lines) - 33.0;
    canvas.outline(area(LEFT, top, RIGHT - LEFT, height), 3.0, RULE);
    canvas.fill_rounded(area(LEFT, top, 3.0, height), 1.5, palette.accent);
    let mut baseline = top + 14.0;
    canvas.write(
        (LEFT + PADDING, baseline),
        bold(8.8, palette.deep),
        labels::REMARKS.to(language),
    );
    for line in lines {
        baseline += LINE_HEIGHT;
        canvas.write((LEFT + PADDING, baseline), regular(TEXT_SIZE, BLACK), line);
    }
    let note = labels::CORRELATE.to(language);
    canvas.write_within(
        (LEFT, top + height + 13.0),
        RIGHT - LEFT,
        regular(7.0, GREY),
        note,
    );
}

pub(super) fn draw_signatures(
    canvas: &mut Canvas<'_, '_>,
    spec: &ReportSpec,
    palette: Palette,
    y: f32,
) {
    let language = spec.language;
    let middle = f32::midpoint(LEFT, RIGHT);
    let end = format!("—   {}   —", labels::END.to(language));
    canvas.write_centred((middle, y + 8.0), regular(7.4, GREY), &end);
    // The same two people sign for a lab every time.
    let mut staff = people(fingerprint(&spec.lab_name));
    if let (Some(technologist), Some(pathologist)) = (staff.next(), staff.next()) {
        let name = technologist.name(language);
        sign(
            canvas,
            &technologist,
            (&name, labels::TECHNOLOGIST.to(language)),
            (LEFT, y),
        );
        let name = pathologist.name_as_doctor(language);
        sign(
            canvas,
            &pathologist,
            (&name, labels::PATHOLOGIST.to(language)),
            (RIGHT - 170.0, y),
        );
    }
    draw_seal(canvas, language, palette, (middle, y + 52.0));
}

/// A scribble over a rule, with the signer's name and office below.
fn sign(
    canvas: &mut Canvas<'_, '_>,
    person: &Person,
    (name, office): (&str, &str),
    (x, y): (f32, f32),
) {
    let room = 170.0;
    draw_scribble(canvas, &person.name(Language::English), (x + 8.0, y + 42.0));
    canvas.fill(area(x, y + 56.0, room, 0.6), GREY);
    canvas.write((x, y + 68.0), shrunk(bold(9.0, BLACK), room, name), name);
    canvas.write(
        (x, y + 79.0),
        shrunk(regular(7.2, GREY), room, office),
        office,
    );
}

/// A pen line of loops and a tail that is always the same for a name.
fn draw_scribble(canvas: &mut Canvas<'_, '_>, name: &str, (x, y): (f32, f32)) {
    let mut dice = Dice::new(2, name);
    let mut path = PathBuilder::new();
    path.move_to(x, y + dice.between(-2.0, 6.0));
    let mut pen = x;
    for _ in 0..4 + dice.below(3) {
        let step = dice.between(8.0, 15.0);
        let rise = dice.between(10.0, 26.0);
        let fall = dice.between(0.0, 9.0);
        path.cubic_to(
            pen + step * 1.5,
            y - rise,
            pen - step * 0.5,
            y - rise,
            pen + step,
            y + fall,
        );
        pen += step;
    }
    let tail = dice.between(34.0, 52.0);
    path.cubic_to(
        pen + tail * 0.3,
        y + 8.0,
        pen + tail * 0.7,
        y - 6.0,
        pen + tail,
        y - dice.between(0.0, 8.0),
    );
    canvas.stroke_path(path.finish(), 1.1, SIGNING_INK);
}

/// A stamp that says the report was checked.
fn draw_seal(
    canvas: &mut Canvas<'_, '_>,
    language: Language,
    palette: Palette,
    (x, y): (f32, f32),
) {
    let (width, height) = (118.0, 24.0);
    canvas.outline(
        area(x - width / 2.0, y - height / 2.0, width, height),
        12.0,
        palette.primary,
    );
    let left = x - width / 2.0 + 14.0;
    let tick = [
        (left - 4.0, y),
        (left - 1.0, y + 3.4),
        (left + 5.0, y - 4.0),
    ];
    canvas.stroke_path(polyline(&tick), 1.5, palette.primary);
    let text = labels::VERIFIED.to(language);
    let style = shrunk(bold(7.4, palette.primary), width - 36.0, text);
    canvas.write((left + 11.0, y + 2.7), style, text);
}
