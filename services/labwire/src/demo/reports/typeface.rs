use std::{ops::Range, sync::LazyLock};

use krilla::text::{Font, GlyphId, KrillaGlyph};
use rustybuzz::{Face, UnicodeBuffer};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Devanagari,
}

/// One file, parsed for shaping and for embedding.
struct Typeface {
    font: Font,
    face: Face<'static>,
}

struct Typefaces {
    latin: [Typeface; 2],
    devanagari: [Typeface; 2],
}

static TYPEFACES: LazyLock<Typefaces> = LazyLock::new(|| Typefaces {
    latin: [
        typeface(include_bytes!("../../../assets/fonts/NotoSans-Regular.ttf")),
        typeface(include_bytes!("../../../assets/fonts/NotoSans-Bold.ttf")),
    ],
    devanagari: [
        typeface(include_bytes!(
            "../../../assets/fonts/NotoSansDevanagari-Regular.ttf"
        )),
        typeface(include_bytes!(
            "../../../assets/fonts/NotoSansDevanagari-Bold.ttf"
        )),
    ],
});

fn typeface(file: &'static [u8]) -> Typeface {
    Typeface {
        font: Font::new(file.into(), 0).expect("the embedded font file is valid"),
        face: Face::from_slice(file, 0).expect("the embedded font file is valid"),
    }
}

fn typeface_for(script: Script, weight: Weight) -> &'static Typeface {
    let [regular, bold] = match script {
        Script::Latin => &TYPEFACES.latin,
        Script::Devanagari => &TYPEFACES.devanagari,
    };
    match weight {
        Weight::Regular => regular,
        Weight::Bold => bold,
    }
}

/// A line of text with its glyphs chosen and placed. Lengths are in ems.
pub(super) struct Line<'a> {
    pub(super) runs: Vec<Run<'a>>,
    pub(super) width: f32,
}

/// A stretch of a line in one font.
pub(super) struct Run<'a> {
    pub(super) text: &'a str,
    pub(super) font: Font,
    pub(super) glyphs: Vec<KrillaGlyph>,
    pub(super) width: f32,
}

pub(super) fn set(text: &str, weight: Weight) -> Line<'_> {
    let runs: Vec<_> = split_by_script(text)
        .into_iter()
        .map(|(script, text)| shape(text, typeface_for(script, weight)))
        .collect();
    let width = runs.iter().map(|run| run.width).sum();
    Line { runs, width }
}

/// Breaks a paragraph at spaces into lines no wider than `limit` ems.
pub(super) fn wrap(text: &str, weight: Weight, limit: f32) -> Vec<String> {
    let space = set(" ", weight).width;
    let mut lines: Vec<String> = Vec::new();
    let mut filled = 0.0;
    for word in text.split_whitespace() {
        let width = set(word, weight).width;
        match lines.last_mut() {
            Some(line) if filled + space + width <= limit => {
                line.push(' ');
                line.push_str(word);
                filled += space + width;
            }
            _ => {
                lines.push(word.to_owned());
                filled = width;
            }
        }
    }
    lines
}

fn split_by_script(text: &str) -> Vec<(Script, &str)> {
    let mut runs = Vec::new();
    let (mut start, mut current) = (0, None);
    for (index, character) in text.char_indices() {
        let script = script_of(character).or(current);
        if script != current {
            if let Some(current) = current {
                runs.extend(text.get(start..index).map(|run| (current, run)));
                start = index;
            }
            current = script;
        }
    }
    let last = current.unwrap_or(Script::Latin);
    runs.extend(
        text.get(start..)
            .filter(|run| !run.is_empty())
            .map(|run| (last, run)),
    );
    runs
}

/// `None` for what takes the font of the text around it.
fn script_of(character: char) -> Option<Script> {
    match character {
        '\u{900}'..='\u{97f}' | '\u{a8e0}'..='\u{a8ff}' => Some(Script::Devanagari),
        ' ' | '\u{200c}' | '\u{200d}' => None,
        _ => Some(Script::Latin),
    }
}

fn shape<'a>(text: &'a str, typeface: &Typeface) -> Run<'a> {
    let mut buffer = UnicodeBuffer::new();
    buffer.push_str(text);
    buffer.guess_segment_properties();
    let shaped = rustybuzz::shape(&typeface.face, &[], buffer);
    let starts: Vec<usize> = shaped
        .glyph_infos()
        .iter()
        .map(|info| info.cluster as usize)
        .collect();
    let units_per_em = typeface.font.units_per_em();
    let ems = |units: i32| f32::from(i16::try_from(units).unwrap_or(i16::MAX)) / units_per_em;
    let mut glyphs = Vec::with_capacity(shaped.len());
    for (index, (info, position)) in shaped
        .glyph_infos()
        .iter()
        .zip(shaped.glyph_positions())
        .enumerate()
    {
        let text = cluster(&starts, index, text.len());
        glyphs.push(KrillaGlyph::new(
            GlyphId::new(info.glyph_id),
            ems(position.x_advance),
            ems(position.x_offset),
            ems(position.y_offset),
            ems(position.y_advance),
            text.clone(),
            None,
        ));
        let ends_cluster = starts.get(index + 1).is_none_or(|next| *next >= text.end);
        if ends_cluster && position.x_advance == 0 {
            glyphs.extend(blank(typeface, text));
        }
    }
    let width = shaped
        .glyph_positions()
        .iter()
        .map(|position| ems(position.x_advance))
        .sum();
    Run {
        text,
        font: typeface.font.clone(),
        glyphs,
        width,
    }
}

const ZERO_WIDTH_SPACE: char = '\u{200b}';

/// An empty glyph after a mark that hangs inside its letter. Readers of the PDF's text take the
/// end of the last glyph for the end of the letter, and would see a space after the mark.
fn blank(typeface: &Typeface, text: Range<usize>) -> Option<KrillaGlyph> {
    let space = typeface.face.glyph_index(ZERO_WIDTH_SPACE)?;
    let id = GlyphId::new(u32::from(space.0));
    Some(KrillaGlyph::new(id, 0.0, 0.0, 0.0, 0.0, text, None))
}

/// The bytes of the text a glyph stands for: up to where the next cluster starts.
fn cluster(starts: &[usize], index: usize, end: usize) -> Range<usize> {
    let start = starts.get(index).copied().unwrap_or(end);
    let next = starts
        .iter()
        .skip(index)
        .copied()
        .find(|next| *next > start);
    start..next.unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use krilla::text::Glyph;

    use super::*;
    use crate::demo::reports::{Language, people};

    fn glyph_count(text: &str) -> usize {
        set(text, Weight::Regular)
            .runs
            .iter()
            .map(|run| run.glyphs.len())
            .sum()
    }

    #[test]
    fn conjuncts_are_joined_into_fewer_glyphs_than_letters() {
        assert_eq!(glyph_count("क्ष"), 1);
        assert_eq!(glyph_count("ज्ञ"), 1);
        assert_eq!(glyph_count("श्र"), 1);
    }

    #[test]
    fn a_hanging_mark_is_closed_by_a_blank_of_the_same_letter() {
        let line = set("कुल", Weight::Regular);
        let ranges: Vec<_> = line.runs[0].glyphs.iter().map(Glyph::text_range).collect();
        assert_eq!(ranges, [0..6, 0..6, 0..6, 6..9]);
    }

    #[test]
    fn every_fictional_name_has_its_glyphs_in_the_fonts() {
        for person in people(3).take(80) {
            for language in [Language::English, Language::Hindi] {
                for weight in [Weight::Regular, Weight::Bold] {
                    let name = person.name_as_doctor(language);
                    let line = set(&name, weight);
                    let mut glyphs = line.runs.iter().flat_map(|run| &run.glyphs);
                    assert!(glyphs.all(|glyph| glyph.glyph_id().to_u32() != 0), "{name}");
                }
            }
        }
    }

    #[test]
    fn a_line_of_two_scripts_is_set_in_two_fonts() {
        let line = set("हीमोग्लोबिन (Hb) सामान्य", Weight::Bold);
        let texts: Vec<_> = line.runs.iter().map(|run| run.text).collect();
        assert_eq!(texts, ["हीमोग्लोबिन ", "(Hb) ", "सामान्य"]);
    }

    #[test]
    fn wrapped_lines_keep_every_word_and_the_limit() {
        let text = "कृपया इन्हें अपने चिकित्सक के परामर्श के साथ पढ़ें।";
        let lines = wrap(text, Weight::Regular, 8.0);
        assert!(lines.len() > 2);
        assert_eq!(lines.join(" "), text);
        assert!(
            lines
                .iter()
                .all(|line| set(line, Weight::Regular).width <= 8.01)
        );
    }
}
