//! A line for each series, as SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 60.0;
const BOTTOM: f64 = 30.0;
const TOP: f64 = 30.0;
const RIGHT: f64 = 10.0;
const COLOURS: [&str; 6] = [
    "#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#57606a",
];
/// The room of a series' name, below.
const NAME: f64 = 95.0;

/// One line: its name, and a value for each instant.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) values: Vec<f64>,
}

/// Draws series over the same instants (seconds), from zero to what the highest reaches.
pub(crate) fn svg(title: &str, instants: &[f64], series: &[Series]) -> String {
    let last = instants.last().copied().unwrap_or(1.0).max(1.0);
    let values = series.iter().flat_map(|it| it.values.iter().copied());
    let highest = values.fold(0.0_f64, f64::max).max(1e-9) * 1.1;
    let x = |second: f64| LEFT + second / last * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - value / highest * (HEIGHT - BOTTOM - TOP);
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="white"/>
<text x="{LEFT}" y="14" font-weight="bold">{title}</text>
"#
    );
    for step in 0..=4 {
        let value = highest * f64::from(step) / 4.0;
        let at = y(value);
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            r##"<line x1="{LEFT}" x2="{}" y1="{at:.1}" y2="{at:.1}" stroke="#d0d7de"/><text x="{}" y="{:.1}" text-anchor="end">{value:.0}</text>"##,
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0
        );
    }
    let _ = writeln!(
        svg,
        r#"<text x="{LEFT}" y="{0}">0 s</text><text x="{1}" y="{0}" text-anchor="end">{last:.0} s</text>"#,
        HEIGHT - 10.0,
        WIDTH - RIGHT
    );
    for (index, (line, colour)) in series.iter().zip(COLOURS).enumerate() {
        let points: Vec<String> = (instants.iter().zip(&line.values))
            .map(|(second, value)| format!("{:.1},{:.1}", x(*second), y(*value)))
            .collect();
        let place = LEFT + 40.0 + NAME * f64::from(u32::try_from(index).unwrap_or(0));
        let _ = writeln!(
            svg,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="1.5"/><text x="{place}" y="{}" fill="{colour}">{}</text>"#,
            points.join(" "),
            HEIGHT - 10.0,
            line.name
        );
    }
    svg.push_str("</svg>\n");
    svg
}
