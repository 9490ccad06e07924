use chrono::{Datelike, NaiveDate};
use krilla::{
    Document,
    metadata::{DateTime, Metadata},
    page::PageSettings,
};

use super::{
    ReportSpec,
    canvas::{Canvas, bold},
    closing, details,
    dice::Dice,
    letterhead,
    panel::{Findings, Guide, Measurement, Patient},
    table,
    theme::Theme,
};

pub(super) const PAGE_WIDTH: f32 = 595.28;
pub(super) const PAGE_HEIGHT: f32 = 841.89;
pub(super) const LEFT: f32 = 36.0;
pub(super) const RIGHT: f32 = PAGE_WIDTH - 36.0;

/// The results start here on every page, below letterhead, details and title.
const BODY_TOP: f32 = details::BOTTOM + 34.0;
const BODY_BOTTOM: f32 = PAGE_HEIGHT - 36.0;

/// A piece of the body that is never split between pages.
enum Block<'a> {
    Head,
    Title(&'static str),
    Row(&'a Measurement),
    Guide(&'a Guide),
    Remarks(Vec<String>),
    /// Stands at the foot of the last page.
    Signatures,
}

impl Block<'_> {
    fn height(&self) -> f32 {
        match self {
            Self::Head => table::HEAD_HEIGHT,
            Self::Title(_) => table::TITLE_HEIGHT,
            Self::Row(_) => table::ROW_HEIGHT,
            Self::Guide(_) => table::GUIDE_HEIGHT,
            Self::Remarks(lines) => closing::remarks_height(lines),
            Self::Signatures => closing::SIGNATURES_HEIGHT,
        }
    }

    /// What must fit on the page for the block to start there: a title is not left alone.
    fn room(&self) -> f32 {
        match self {
            Self::Title(_) => self.height() + table::ROW_HEIGHT,
            _ => self.height(),
        }
    }

    fn belongs_in_table(&self) -> bool {
        matches!(self, Self::Title(_) | Self::Row(_))
    }
}

pub(super) fn render(spec: &ReportSpec) -> Vec<u8> {
    let theme = Theme::of(&spec.lab_name);
    let findings = findings(spec);
    let pages = paginate(blocks(spec, &findings));

    let mut document = Document::new();
    document.set_metadata(metadata(spec));
    for (index, blocks) in pages.iter().enumerate() {
        let settings =
            PageSettings::from_wh(PAGE_WIDTH, PAGE_HEIGHT).expect("A4 is a valid page size");
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        let mut canvas = Canvas::new(&mut surface);
        letterhead::draw(&mut canvas, spec, &theme);
        details::draw(&mut canvas, spec, &theme);
        draw_body(&mut canvas, spec, &theme, blocks);
        letterhead::draw_footer(&mut canvas, spec, &theme, (index + 1, pages.len()));
        surface.finish();
        page.finish();
    }
    document
        .finish()
        .expect("text and paths in the embedded fonts make a valid document")
}

fn findings(spec: &ReportSpec) -> Findings {
    let patient = Patient {
        age: spec.age,
        sex: spec.sex,
    };
    spec.test
        .findings(patient, &mut Dice::new(spec.seed, "results"))
}

fn blocks<'a>(spec: &ReportSpec, findings: &'a Findings) -> Vec<Block<'a>> {
    let mut blocks = Vec::new();
    for section in &findings.sections {
        blocks.push(Block::Title(section.title.to(spec.language)));
        blocks.extend(section.rows.iter().map(Block::Row));
    }
    blocks.extend(findings.guides.iter().map(Block::Guide));
    blocks.push(Block::Remarks(closing::remark_lines(
        &findings.remarks,
        spec.language,
    )));
    blocks.push(Block::Signatures);
    blocks
}

fn paginate(blocks: Vec<Block<'_>>) -> Vec<Vec<Block<'_>>> {
    let mut pages = Vec::new();
    let mut page: Vec<Block<'_>> = Vec::new();
    let mut y = BODY_TOP;
    for block in blocks {
        if y + block.room() > BODY_BOTTOM {
            pages.push(std::mem::take(&mut page));
            y = BODY_TOP;
        }
        if page.is_empty() && block.belongs_in_table() {
            y += Block::Head.height();
            page.push(Block::Head);
        }
        y += block.height();
        page.push(block);
    }
    pages.push(page);
    pages
}

fn draw_body(canvas: &mut Canvas<'_, '_>, spec: &ReportSpec, theme: &Theme, blocks: &[Block<'_>]) {
    let (language, palette) = (spec.language, theme.palette);
    let title = bold(13.0, palette.deep);
    canvas.write_centred(
        (PAGE_WIDTH / 2.0, BODY_TOP - 13.0),
        title,
        spec.test.name(language),
    );
    let mut y = BODY_TOP;
    for block in blocks {
        match block {
            Block::Head => table::draw_head(canvas, language, palette, y),
            Block::Title(title) => table::draw_title(canvas, title, palette, y),
            Block::Row(row) => table::draw_row(canvas, language, row, y),
            Block::Guide(guide) => table::draw_guide(canvas, language, guide, y),
            Block::Remarks(lines) => closing::draw_remarks(canvas, (lines, language), palette, y),
            Block::Signatures => {
                let top = BODY_BOTTOM - closing::SIGNATURES_HEIGHT;
                closing::draw_signatures(canvas, spec, palette, top);
            }
        }
        y += block.height();
    }
}

fn metadata(spec: &ReportSpec) -> Metadata {
    Metadata::new()
        .title(format!(
            "{} {}",
            spec.test.name(spec.language),
            spec.sample_id
        ))
        .authors(vec![spec.lab_name.clone()])
        .creator("Labwire sample reports".to_owned())
        .language(spec.language.tag().to_owned())
        .creation_date(creation_date(spec.report_date))
}

fn creation_date(date: NaiveDate) -> DateTime {
    let field = |number: u32| u8::try_from(number).unwrap_or(1);
    DateTime::new(u16::try_from(date.year()).unwrap_or_default())
        .month(field(date.month()))
        .day(field(date.day()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::reports::{Language, Panel, Sex};

    #[test]
    fn only_a_health_check_takes_a_second_page_whatever_its_results() {
        for test in Panel::ALL {
            for seed in 0..12 {
                let spec = ReportSpec {
                    lab_name: String::new(),
                    lab_tagline: String::new(),
                    patient_name: String::new(),
                    age: 50,
                    sex: if seed % 2 == 0 {
                        Sex::Female
                    } else {
                        Sex::Male
                    },
                    test,
                    doctor_name: String::new(),
                    report_date: NaiveDate::MIN,
                    sample_id: String::new(),
                    language: if seed % 4 < 2 {
                        Language::English
                    } else {
                        Language::Hindi
                    },
                    seed,
                };
                let findings = findings(&spec);
                let pages = paginate(blocks(&spec, &findings)).len();
                assert_eq!(
                    pages,
                    if test == Panel::HealthCheck { 2 } else { 1 },
                    "{test:?}, seed {seed}"
                );
            }
        }
    }
}
