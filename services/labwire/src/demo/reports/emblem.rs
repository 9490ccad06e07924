use krilla::geom::PathBuilder;

use super::canvas::{Canvas, Ink, area, polygon, polyline};

/// A lab's mark.
#[derive(Debug, Clone, Copy)]
pub(super) enum Emblem {
    Cross,
    Drop,
    Flask,
    Pulse,
    Leaf,
}

/// The square an emblem is drawn in. Points and lengths below are shares of it.
#[derive(Clone, Copy)]
struct Square {
    x: f32,
    y: f32,
    size: f32,
}

impl Square {
    fn at(self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.size, self.y + y * self.size)
    }

    fn bar(
        self,
        canvas: &mut Canvas<'_, '_>,
        (x, y): (f32, f32),
        (width, height): (f32, f32),
        ink: Ink,
    ) {
        let (x, y) = self.at(x, y);
        let frame = area(x, y, width * self.size, height * self.size);
        canvas.fill_rounded(frame, self.size * 0.03, ink);
    }

    fn curve(self, path: &mut PathBuilder, from: (f32, f32), towards: (f32, f32), end: (f32, f32)) {
        let (x1, y1) = self.at(from.0, from.1);
        let (x2, y2) = self.at(towards.0, towards.1);
        let (x, y) = self.at(end.0, end.1);
        path.cubic_to(x1, y1, x2, y2, x, y);
    }
}

/// Draws a round badge of the given size with the emblem on it.
pub(super) fn draw(
    canvas: &mut Canvas<'_, '_>,
    emblem: Emblem,
    (x, y, size): (f32, f32, f32),
    (badge, ink): (Ink, Ink),
) {
    let square = Square { x, y, size };
    canvas.circle(square.at(0.5, 0.5), size / 2.0, badge);
    match emblem {
        Emblem::Cross => {
            square.bar(canvas, (0.42, 0.22), (0.16, 0.56), ink);
            square.bar(canvas, (0.22, 0.42), (0.56, 0.16), ink);
        }
        Emblem::Drop => drop(canvas, square, badge, ink),
        Emblem::Flask => flask(canvas, square, badge, ink),
        Emblem::Pulse => {
            let beat = [
                (0.14, 0.52),
                (0.34, 0.52),
                (0.42, 0.26),
                (0.54, 0.76),
                (0.62, 0.52),
                (0.86, 0.52),
            ];
            canvas.stroke_path(
                polyline(&beat.map(|(x, y)| square.at(x, y))),
                size * 0.065,
                ink,
            );
        }
        Emblem::Leaf => leaf(canvas, square, badge, ink),
    }
}

fn drop(canvas: &mut Canvas<'_, '_>, square: Square, badge: Ink, ink: Ink) {
    let mut path = PathBuilder::new();
    let (x, y) = square.at(0.5, 0.16);
    path.move_to(x, y);
    square.curve(&mut path, (0.5, 0.16), (0.78, 0.42), (0.78, 0.58));
    square.curve(&mut path, (0.78, 0.84), (0.22, 0.84), (0.22, 0.58));
    square.curve(&mut path, (0.22, 0.42), (0.5, 0.16), (0.5, 0.16));
    path.close();
    canvas.fill_path(path.finish(), ink);
    square.bar(canvas, (0.465, 0.47), (0.07, 0.25), badge);
    square.bar(canvas, (0.375, 0.56), (0.25, 0.07), badge);
}

fn flask(canvas: &mut Canvas<'_, '_>, square: Square, badge: Ink, ink: Ink) {
    let glass = [
        (0.42, 0.26),
        (0.58, 0.26),
        (0.58, 0.42),
        (0.76, 0.72),
        (0.72, 0.78),
        (0.28, 0.78),
        (0.24, 0.72),
        (0.42, 0.42),
    ];
    canvas.fill_path(polygon(&glass.map(|(x, y)| square.at(x, y))), ink);
    square.bar(canvas, (0.37, 0.2), (0.26, 0.07), ink);
    canvas.circle(square.at(0.44, 0.66), square.size * 0.045, badge);
    canvas.circle(square.at(0.56, 0.58), square.size * 0.035, badge);
}

fn leaf(canvas: &mut Canvas<'_, '_>, square: Square, badge: Ink, ink: Ink) {
    let mut path = PathBuilder::new();
    let stem = square.at(0.24, 0.76);
    path.move_to(stem.0, stem.1);
    square.curve(&mut path, (0.2, 0.4), (0.4, 0.22), (0.78, 0.22));
    square.curve(&mut path, (0.78, 0.6), (0.6, 0.8), (0.24, 0.76));
    path.close();
    canvas.fill_path(path.finish(), ink);
    let vein = [stem, square.at(0.62, 0.38)];
    canvas.stroke_path(polyline(&vein), square.size * 0.035, badge);
}
