use chrono::Datelike;

use super::{
    ReportSpec, barcode,
    canvas::{BLACK, Canvas, GREY, Style, area, bold, regular},
    dice::Dice,
    document::{LEFT, RIGHT},
    labels, letterhead,
    theme::Theme,
    words::Words,
};

const TOP: f32 = letterhead::HEIGHT;
const HEIGHT: f32 = 86.0;
pub(super) const BOTTOM: f32 = TOP + HEIGHT;

const COLUMNS: [f32; 4] = [LEFT + 12.0, LEFT + 182.0, LEFT + 298.0, LEFT + 420.0];
const BARCODE_WIDTH: f32 = 92.0;

/// Whose report it is and where its sample came from, in a box under the letterhead.
pub(super) fn draw(canvas: &mut Canvas<'_, '_>, spec: &ReportSpec, theme: &Theme) {
    let language = spec.language;
    let frame = area(LEFT, TOP, RIGHT - LEFT, HEIGHT);
    canvas.fill_rounded(frame, 4.0, theme.palette.tint);
    canvas.fill_rounded(area(LEFT, TOP, 4.0, HEIGHT), 2.0, theme.palette.primary);

    let times = Times::of(spec);
    let age_and_sex = format!(
        "{} {} / {}",
        spec.age,
        labels::YEARS.to(language),
        labels::sex(spec.sex).to(language),
    );
    let name = bold(10.5, theme.palette.deep);
    let value = regular(8.8, BLACK);
    let strong = bold(8.8, BLACK);
    let [first, second, third, fourth] = COLUMNS;
    let specimen = spec.test.specimen().to(language);
    let fields: [(f32, Words, Style, &str); 9] = [
        (first, labels::PATIENT, name, &spec.patient_name),
        (first, labels::AGE_AND_SEX, value, &age_and_sex),
        (first, labels::REFERRED_BY, value, &spec.doctor_name),
        (second, labels::SAMPLE_ID, strong, &spec.sample_id),
        (second, labels::SPECIMEN, value, specimen),
        (second, labels::STATUS, strong, labels::FINAL.to(language)),
        (third, labels::COLLECTED, value, &times.collected),
        (third, labels::RECEIVED, value, &times.received),
        (third, labels::REPORTED, value, &times.reported),
    ];
    let ends = [second, third, fourth];
    for (index, (x, label, style, text)) in fields.into_iter().enumerate() {
        let y = TOP
            + if index % 3 == 0 {
                13.0
            } else if index % 3 == 1 {
                39.0
            } else {
                65.0
            };
        let end = ends.into_iter().find(|end| *end > x).unwrap_or(RIGHT);
        canvas.write((x, y), regular(6.8, GREY), label.to(language));
        canvas.write_within((x, y + 12.0), end - x - 8.0, style, text);
    }

    let bars = area(fourth, TOP + 16.0, BARCODE_WIDTH, 34.0);
    barcode::draw(canvas, bars, &spec.sample_id);
    let middle = fourth + BARCODE_WIDTH / 2.0;
    canvas.write_centred((middle, TOP + 60.0), regular(7.4, BLACK), &spec.sample_id);
    canvas.write_centred(
        (middle, TOP + 75.0),
        bold(7.2, theme.palette.primary),
        labels::REPORT.to(language),
    );
}

/// A sample's day: drawn in the morning, reported in the afternoon.
struct Times {
    collected: String,
    received: String,
    reported: String,
}

impl Times {
    fn of(spec: &ReportSpec) -> Self {
        let mut dice = Dice::new(spec.seed, "times");
        let collected = 7 * 60 + 5 + dice.below(150);
        let received = collected + 35 + dice.below(60);
        let reported = 14 * 60 + dice.below(4 * 60);
        let date = spec.report_date;
        let month = labels::month(date.month0()).to(spec.language);
        let at = |minute: u16| {
            format!(
                "{} {month} {}, {:02}:{:02}",
                date.day(),
                date.year(),
                minute / 60,
                minute % 60
            )
        };
        Self {
            collected: at(collected),
            received: at(received),
            reported: at(reported),
        }
    }
}
