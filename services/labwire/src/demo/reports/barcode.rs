use super::canvas::{Area, BLACK, Canvas, area};

/// Code 39: five bars and four spaces for each character, narrow or wide, from left to right.
const PATTERNS: [(char, &str); 40] = [
    ('0', "nnnwwnwnn"),
    ('1', "wnnwnnnnw"),
    ('2', "nnwwnnnnw"),
    ('3', "wnwwnnnnn"),
    ('4', "nnnwwnnnw"),
    ('5', "wnnwwnnnn"),
    ('6', "nnwwwnnnn"),
    ('7', "nnnwnnwnw"),
    ('8', "wnnwnnwnn"),
    ('9', "nnwwnnwnn"),
    ('A', "wnnnnwnnw"),
    ('B', "nnwnnwnnw"),
    ('C', "wnwnnwnnn"),
    ('D', "nnnnwwnnw"),
    ('E', "wnnnwwnnn"),
    ('F', "nnwnwwnnn"),
    ('G', "nnnnnwwnw"),
    ('H', "wnnnnwwnn"),
    ('I', "nnwnnwwnn"),
    ('J', "nnnnwwwnn"),
    ('K', "wnnnnnnww"),
    ('L', "nnwnnnnww"),
    ('M', "wnwnnnnwn"),
    ('N', "nnnnwnnww"),
    ('O', "wnnnwnnwn"),
    ('P', "nnwnwnnwn"),
    ('Q', "nnnnnnwww"),
    ('R', "wnnnnnwwn"),
    ('S', "nnwnnnwwn"),
    ('T', "nnnnwnwwn"),
    ('U', "wwnnnnnnw"),
    ('V', "nwwnnnnnw"),
    ('W', "wwwnnnnnn"),
    ('X', "nwnnwnnnw"),
    ('Y', "wwnnwnnnn"),
    ('Z', "nwwnwnnnn"),
    ('-', "nwnnnnwnw"),
    ('.', "wwnnnnwnn"),
    (' ', "nwwnnnwnn"),
    ('*', "nwnnwnwnn"),
];

const WIDE: f32 = 2.5;
const CHARACTER_WIDTH: f32 = 6.0 + 3.0 * WIDE;

/// Draws the text's bars, as wide as the area. Characters the code has not are left out.
pub(super) fn draw(canvas: &mut Canvas<'_, '_>, frame: Area, text: &str) {
    let framed = format!("*{}*", text.to_ascii_uppercase().replace('*', ""));
    let patterns: Vec<&str> = framed.chars().filter_map(pattern_of).collect();
    let modules: f32 = patterns.iter().map(|_| CHARACTER_WIDTH + 1.0).sum::<f32>() - 1.0;
    let module = frame.width / modules;
    let mut x = frame.x;
    for pattern in patterns {
        for (index, element) in pattern.chars().enumerate() {
            let width = if element == 'w' {
                WIDE * module
            } else {
                module
            };
            if index % 2 == 0 {
                canvas.fill(area(x, frame.y, width, frame.height), BLACK);
            }
            x += width;
        }
        x += module;
    }
}

fn pattern_of(character: char) -> Option<&'static str> {
    PATTERNS
        .iter()
        .find(|(known, _)| *known == character)
        .map(|(_, pattern)| *pattern)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_pattern_is_its_own_and_has_three_wide_elements_of_nine() {
        let mut seen = HashSet::new();
        for (character, pattern) in PATTERNS {
            assert_eq!(pattern.len(), 9, "{character}");
            assert_eq!(pattern.matches('w').count(), 3, "{character}");
            assert!(seen.insert(pattern), "{character}");
        }
    }
}
