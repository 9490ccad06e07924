use krilla::{
    color::rgb,
    geom::{Path, PathBuilder, Point},
    num::NormalizedF32,
    paint::{Fill, FillRule, LineCap, LineJoin, Stroke},
    surface::Surface,
};

use super::typeface::{Weight, set};

/// A colour: red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ink(pub(super) u8, pub(super) u8, pub(super) u8);

pub(super) const WHITE: Ink = Ink(255, 255, 255);
pub(super) const BLACK: Ink = Ink(33, 37, 41);
pub(super) const GREY: Ink = Ink(108, 117, 125);
pub(super) const RULE: Ink = Ink(222, 226, 230);

impl Ink {
    fn fill(self) -> Fill {
        Fill {
            paint: rgb::Color::new(self.0, self.1, self.2).into(),
            opacity: NormalizedF32::ONE,
            rule: FillRule::NonZero,
        }
    }

    fn stroke(self, width: f32) -> Stroke {
        Stroke {
            paint: rgb::Color::new(self.0, self.1, self.2).into(),
            width,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) weight: Weight,
    pub(super) size: f32,
    pub(super) ink: Ink,
}

pub(super) const fn regular(size: f32, ink: Ink) -> Style {
    Style {
        weight: Weight::Regular,
        size,
        ink,
    }
}

pub(super) const fn bold(size: f32, ink: Ink) -> Style {
    Style {
        weight: Weight::Bold,
        size,
        ink,
    }
}

/// A rectangle in points from the page's top left corner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Area {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

pub(super) const fn area(x: f32, y: f32, width: f32, height: f32) -> Area {
    Area {
        x,
        y,
        width,
        height,
    }
}

/// Text, areas and strokes on one page.
pub(super) struct Canvas<'a, 'b> {
    surface: &'a mut Surface<'b>,
}

impl<'a, 'b> Canvas<'a, 'b> {
    pub(super) fn new(surface: &'a mut Surface<'b>) -> Self {
        Self { surface }
    }

    /// Writes from `x` rightwards on the baseline `y`, and returns where the text ends.
    pub(super) fn write(&mut self, (x, y): (f32, f32), style: Style, text: &str) -> f32 {
        self.surface.set_stroke(None);
        self.surface.set_fill(Some(style.ink.fill()));
        let mut pen = x;
        for run in set(text, style.weight).runs {
            let advance = run.width * style.size;
            self.surface.draw_glyphs(
                Point::from_xy(pen, y),
                &run.glyphs,
                run.font,
                run.text,
                style.size,
                false,
            );
            pen += advance;
        }
        pen
    }

    /// Writes so that the text ends at `x`.
    pub(super) fn write_left_of(&mut self, (x, y): (f32, f32), style: Style, text: &str) {
        self.write((x - measure(style, text), y), style, text);
    }

    pub(super) fn write_centred(&mut self, (x, y): (f32, f32), style: Style, text: &str) {
        self.write((x - measure(style, text) / 2.0, y), style, text);
    }

    /// Writes in a smaller size if the text would be wider than `room`.
    pub(super) fn write_within(&mut self, at: (f32, f32), room: f32, style: Style, text: &str) {
        self.write(at, shrunk(style, room, text), text);
    }

    pub(super) fn fill(&mut self, area: Area, ink: Ink) {
        self.fill_rounded(area, 0.0, ink);
    }

    pub(super) fn fill_rounded(&mut self, area: Area, radius: f32, ink: Ink) {
        self.fill_path(rounded(area, radius), ink);
    }

    pub(super) fn fill_path(&mut self, path: Option<Path>, ink: Ink) {
        self.surface.set_stroke(None);
        self.surface.set_fill(Some(ink.fill()));
        if let Some(path) = path {
            self.surface.draw_path(&path);
        }
    }

    pub(super) fn stroke_path(&mut self, path: Option<Path>, width: f32, ink: Ink) {
        self.surface.set_fill(None);
        self.surface.set_stroke(Some(ink.stroke(width)));
        if let Some(path) = path {
            self.surface.draw_path(&path);
        }
    }

    pub(super) fn outline(&mut self, area: Area, radius: f32, ink: Ink) {
        self.stroke_path(rounded(area, radius), 0.6, ink);
    }

    pub(super) fn circle(&mut self, (x, y): (f32, f32), radius: f32, ink: Ink) {
        let square = area(x - radius, y - radius, radius * 2.0, radius * 2.0);
        self.fill_rounded(square, radius, ink);
    }
}

pub(super) fn measure(style: Style, text: &str) -> f32 {
    set(text, style.weight).width * style.size
}

pub(super) fn shrunk(style: Style, room: f32, text: &str) -> Style {
    let scale = (room / measure(style, text)).min(1.0);
    Style {
        size: style.size * scale,
        ..style
    }
}

/// Straight lines through the points, closed.
pub(super) fn polygon(points: &[(f32, f32)]) -> Option<Path> {
    let mut builder = open(points)?;
    builder.close();
    builder.finish()
}

/// Straight lines through the points.
pub(super) fn polyline(points: &[(f32, f32)]) -> Option<Path> {
    open(points)?.finish()
}

fn open(points: &[(f32, f32)]) -> Option<PathBuilder> {
    let ((x, y), rest) = points.split_first()?;
    let mut builder = PathBuilder::new();
    builder.move_to(*x, *y);
    for (x, y) in rest {
        builder.line_to(*x, *y);
    }
    Some(builder)
}

/// How far a Bézier handle reaches to make a quarter of a circle of radius one.
const CIRCLE_HANDLE: f32 = 0.552_285;

fn rounded(area: Area, radius: f32) -> Option<Path> {
    let Area {
        x,
        y,
        width,
        height,
    } = area;
    let (right, bottom) = (x + width, y + height);
    if radius <= 0.0 {
        return polygon(&[(x, y), (right, y), (right, bottom), (x, bottom)]);
    }
    let r = radius.min(width / 2.0).min(height / 2.0);
    let k = r * (1.0 - CIRCLE_HANDLE);
    let mut path = PathBuilder::new();
    path.move_to(x + r, y);
    path.line_to(right - r, y);
    path.cubic_to(right - k, y, right, y + k, right, y + r);
    path.line_to(right, bottom - r);
    path.cubic_to(right, bottom - k, right - k, bottom, right - r, bottom);
    path.line_to(x + r, bottom);
    path.cubic_to(x + k, bottom, x, bottom - k, x, bottom - r);
    path.line_to(x, y + r);
    path.cubic_to(x, y + k, x + k, y, x + r, y);
    path.close();
    path.finish()
}
