use super::{
    Language, ReportSpec,
    canvas::{Area, Canvas, GREY, Ink, RULE, WHITE, area, bold, measure, regular, shrunk},
    dice::Dice,
    document::{LEFT, PAGE_HEIGHT, PAGE_WIDTH, RIGHT},
    emblem, labels,
    theme::{Header, Palette, Theme},
    words::{Words, words},
};

/// The letterhead ends here; the page's own content starts below.
pub(super) const HEIGHT: f32 = 92.0;

const EMBLEM_SIZE: f32 = 46.0;
const NAME_ROOM: f32 = 320.0;
const TAGLINE_ROOM: f32 = 255.0;
/// The rest of the tagline's line, where the web address and the hours stand.
const REACH_ROOM: f32 = 200.0;
const SOFT_WHITE: Ink = Ink(236, 240, 243);

pub(super) fn draw(canvas: &mut Canvas<'_, '_>, spec: &ReportSpec, theme: &Theme) {
    match theme.header {
        Header::Band => band(canvas, spec, theme),
        Header::Rule => rule(canvas, spec, theme),
        Header::Centred => centred(canvas, spec, theme),
    }
}

/// White on a band of colour across the page.
fn band(canvas: &mut Canvas<'_, '_>, spec: &ReportSpec, theme: &Theme) {
    let Palette {
        primary,
        accent,
        deep,
        ..
    } = theme.palette;
    canvas.fill(area(0.0, 0.0, PAGE_WIDTH, 76.0), primary);
    canvas.fill(area(0.0, 76.0, PAGE_WIDTH, 3.0), accent);
    canvas.fill(area(0.0, 0.0, 8.0, 76.0), deep);
    emblem::draw(
        canvas,
        theme.emblem,
        (LEFT, 15.0, EMBLEM_SIZE),
        (WHITE, primary),
    );
    beside_emblem(canvas, spec, (38.0, 55.0), (WHITE, SOFT_WHITE));
    contacts(canvas, spec, 30.0, SOFT_WHITE);
}

/// The lab's colours on white, above a rule of two colours.
fn rule(canvas: &mut Canvas<'_, '_>, spec: &ReportSpec, theme: &Theme) {
    let Palette {
        primary,
        accent,
        deep,
        ..
    } = theme.palette;
    emblem::draw(
        canvas,
        theme.emblem,
        (LEFT, 20.0, EMBLEM_SIZE),
        (primary, WHITE),
    );
    beside_emblem(canvas, spec, (43.0, 60.0), (deep, GREY));
    contacts(canvas, spec, 35.0, GREY);
    let split = LEFT + (RIGHT - LEFT) * 0.72;
    canvas.fill(area(LEFT, 76.0, split - LEFT, 3.0), primary);
    canvas.fill(area(split, 76.0, RIGHT - split, 3.0), accent);
}

/// Emblem and name in the middle of a tinted head.
fn centred(canvas: &mut Canvas<'_, '_>, spec: &ReportSpec, theme: &Theme) {
    let Palette {
        primary,
        accent,
        deep,
        tint,
    } = theme.palette;
    canvas.fill(area(0.0, 0.0, PAGE_WIDTH, 79.0), tint);
    canvas.fill(area(0.0, 0.0, PAGE_WIDTH, 5.0), primary);
    canvas.fill(area(0.0, 79.0, PAGE_WIDTH, 1.2), accent);
    let room = RIGHT - LEFT - EMBLEM_SIZE - 14.0;
    let name = shrunk(bold(21.0, deep), room, &spec.lab_name);
    let width = measure(name, &spec.lab_name);
    let left = (PAGE_WIDTH - width - 44.0) / 2.0;
    emblem::draw(canvas, theme.emblem, (left, 14.0, 34.0), (primary, WHITE));
    canvas.write((left + 44.0, 39.0), name, &spec.lab_name);
    let address = format!("{}   ·   {}", spec.lab_tagline, Contact::of(spec).address());
    let line = shrunk(regular(8.2, GREY), RIGHT - LEFT, &address);
    canvas.write_centred((PAGE_WIDTH / 2.0, 59.0), line, &address);
    canvas.write_centred(
        (PAGE_WIDTH / 2.0, 71.5),
        regular(7.4, primary),
        &Contact::of(spec).reach(),
    );
}

fn beside_emblem(
    canvas: &mut Canvas<'_, '_>,
    spec: &ReportSpec,
    (name_y, tagline_y): (f32, f32),
    (name_ink, tagline_ink): (Ink, Ink),
) {
    let x = LEFT + EMBLEM_SIZE + 12.0;
    canvas.write_within((x, name_y), NAME_ROOM, bold(21.0, name_ink), &spec.lab_name);
    canvas.write_within(
        (x, tagline_y),
        TAGLINE_ROOM,
        regular(9.5, tagline_ink),
        &spec.lab_tagline,
    );
}

fn contacts(canvas: &mut Canvas<'_, '_>, spec: &ReportSpec, y: f32, ink: Ink) {
    let contact = Contact::of(spec);
    let style = regular(7.8, ink);
    canvas.write_left_of((RIGHT, y), style, contact.street.to(spec.language));
    canvas.write_left_of((RIGHT, y + 12.5), style, contact.city.to(spec.language));
    let reach = contact.reach();
    canvas.write_left_of((RIGHT, y + 25.0), shrunk(style, REACH_ROOM, &reach), &reach);
}

/// Where a lab is, made up from its name like its colours.
struct Contact {
    street: Words,
    city: Words,
    web: String,
    hours: Words,
    language: Language,
}

impl Contact {
    fn of(spec: &ReportSpec) -> Self {
        let mut dice = Dice::new(1, &spec.lab_name);
        Self {
            street: *dice.pick(&[
                words("14, Station Road", "14, स्टेशन रोड"),
                words("7, Gandhi Chowk", "7, गांधी चौक"),
                words("22, Civil Lines", "22, सिविल लाइंस"),
                words("3, Lake View Road", "3, लेक व्यू रोड"),
                words("41, Market Yard", "41, मार्केट यार्ड"),
            ]),
            city: *dice.pick(&[
                words("Nashik, Maharashtra", "नासिक, महाराष्ट्र"),
                words("Indore, Madhya Pradesh", "इंदौर, मध्य प्रदेश"),
                words("Mysuru, Karnataka", "मैसूरु, कर्नाटक"),
                words("Lucknow, Uttar Pradesh", "लखनऊ, उत्तर प्रदेश"),
                words("Coimbatore, Tamil Nadu", "कोयंबटूर, तमिलनाडु"),
                words("Bhubaneswar, Odisha", "भुवनेश्वर, ओडिशा"),
            ]),
            web: website(&spec.lab_name),
            hours: *dice.pick(&[
                words("Open 7 am to 9 pm", "प्रातः 7 से रात्रि 9 बजे तक"),
                words("Open day and night", "दिन-रात सेवा"),
                words("Open 6.30 am to 8 pm", "प्रातः 6.30 से रात्रि 8 बजे तक"),
            ]),
            language: spec.language,
        }
    }

    fn address(&self) -> String {
        format!(
            "{}, {}",
            self.street.to(self.language),
            self.city.to(self.language)
        )
    }

    fn reach(&self) -> String {
        let hours = self.hours.to(self.language);
        if self.web.is_empty() {
            hours.to_owned()
        } else {
            format!("{}  ·  {hours}", self.web)
        }
    }
}

/// A host below `.example`, which nobody can own, of the name's first words; none for a name without Latin letters.
fn website(lab_name: &str) -> String {
    let mut host = String::new();
    for word in lab_name.split_whitespace() {
        let letters = word.chars().filter(char::is_ascii_alphanumeric);
        let longer: String = host.chars().chain(letters).collect();
        if longer.len() > 22 {
            break;
        }
        host = longer.to_ascii_lowercase();
    }
    if host.is_empty() {
        host
    } else {
        format!("{host}.example")
    }
}

/// The foot of a page: that the report is a sample, its number, and which page it is.
pub(super) fn draw_footer(
    canvas: &mut Canvas<'_, '_>,
    spec: &ReportSpec,
    theme: &Theme,
    (page, pages): (usize, usize),
) {
    let language = spec.language;
    let y = PAGE_HEIGHT - 30.0;
    canvas.fill(
        Area {
            height: 0.7,
            ..area(LEFT, y, RIGHT - LEFT, 0.0)
        },
        RULE,
    );
    canvas.fill(
        area(0.0, PAGE_HEIGHT - 6.0, PAGE_WIDTH, 6.0),
        theme.palette.primary,
    );
    canvas.write(
        (LEFT, y + 13.0),
        regular(7.0, GREY),
        labels::FICTIONAL.to(language),
    );
    canvas.write_centred(
        (PAGE_WIDTH * 0.62, y + 13.0),
        regular(7.0, GREY),
        &spec.sample_id,
    );
    let number = format!("{} {page} / {pages}", labels::PAGE.to(language));
    canvas.write_left_of((RIGHT, y + 13.0), bold(7.4, theme.palette.deep), &number);
}
