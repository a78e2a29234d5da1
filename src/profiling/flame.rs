//! A flame graph: one box a function, as wide as it was seen often, its callers below it. An SVG without a script; the
//! whole name and the share of a box stand in its tooltip.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::profiling::{Profile, Stack};

/// Of the picture, in pixels.
const WIDTH: f64 = 1200.0;

/// Of a box.
const HEIGHT: usize = 17;

/// Above the boxes: one line of text.
const HEAD: usize = 34;

/// Narrower boxes nobody can see or point at.
const NARROWEST: f64 = 0.2;

/// Of one letter in the font of the boxes, about.
const LETTER: f64 = 6.6;

/// Boxes above it are left out; a deeper stack is a recursion.
const DEEPEST: usize = 200;

/// A function, in all stacks that have the same callers.
#[derive(Debug, Default)]
struct Node<'a> {
    count: u64,
    callees: BTreeMap<&'a str, Node<'a>>,
}

impl<'a> Node<'a> {
    fn add(&mut self, stack: &'a Stack) {
        self.count += stack.count;
        let callers = stack.frames.iter().rev().map(|frame| frame.function.as_str());
        let mut node = self;
        for name in std::iter::once(stack.thread.as_str()).chain(callers).take(DEEPEST) {
            node = node.callees.entry(name).or_default();
            node.count += stack.count;
        }
    }
}

impl Profile {
    /// A picture for people.
    pub fn flame_graph(&self) -> String {
        let mut root = Node::default();
        self.stacks.iter().for_each(|stack| root.add(stack));
        let mut boxes = Vec::new();
        let unit = WIDTH / self.total().max(1) as f64;
        lay(&root, "all", (0.0, 0), unit, &mut boxes);
        let deepest = boxes.iter().map(|each| each.level).max().unwrap_or_default();
        let height = HEAD + (deepest + 1) * HEIGHT;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" font-family=\"monospace\" font-size=\"11\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
             <text x=\"6\" y=\"20\">{} samples in {:.1} s of sluice</text>\n",
            self.total(),
            self.took.as_secs_f64()
        );
        for each in &boxes {
            each.draw(height, self.total(), &mut svg);
        }
        svg + "</svg>\n"
    }
}

/// A box with its place.
#[derive(Debug)]
struct Drawn<'a> {
    name: &'a str,
    count: u64,
    x: f64,
    width: f64,
    level: usize,
}

fn lay<'a>(
    node: &Node<'a>,
    name: &'a str,
    (x, level): (f64, usize),
    unit: f64,
    boxes: &mut Vec<Drawn<'a>>,
) {
    let width = node.count as f64 * unit;
    if width < NARROWEST {
        return;
    }
    boxes.push(Drawn { name, count: node.count, x, width, level });
    let mut x = x;
    for (name, callee) in &node.callees {
        lay(callee, name, (x, level + 1), unit, boxes);
        x += callee.count as f64 * unit;
    }
}

impl Drawn<'_> {
    fn draw(&self, height: usize, total: u64, svg: &mut String) {
        let Self { name, count, x, width, level } = self;
        let y = height.saturating_sub((level + 1) * HEIGHT);
        let share = *count as f64 * 100.0 / total.max(1) as f64;
        let letters = (width / LETTER) as usize;
        let shown: String = name.chars().take(letters).collect();
        // Writing to a text never fails.
        let _ = writeln!(
            svg,
            "<g><title>{}: {count} samples, {share:.1} %</title><rect x=\"{x:.1}\" y=\"{y}\" \
             width=\"{width:.1}\" height=\"{}\" fill=\"{}\" rx=\"1\"/><text x=\"{:.1}\" y=\"{}\">{}</text></g>",
            escaped(name),
            HEIGHT - 1,
            colour(name),
            x + 2.0,
            y + 12,
            if letters > 2 { escaped(&shown) } else { String::new() },
        );
    }
}

/// Warm, and the same for the same function.
fn colour(name: &str) -> String {
    let hash =
        name.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    format!("rgb({},{},{})", 205 + hash % 50, 80 + (hash >> 8) % 130, (hash >> 16) % 60)
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '&' => out += "&amp;",
            '"' => out += "&quot;",
            letter if letter.is_control() => out.push('?'),
            letter => out.push(letter),
        }
    }
    out
}
