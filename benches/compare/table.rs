//! The medians as one table in Markdown.

use std::fmt::Write;

use crate::{Result, load::Sample};

/// One row for each load and peer; `×` compares CPU with that of `measure` in the same round.
pub(crate) fn of(results: &[Result], measure: &str) -> String {
    let mut text = format!(
        "| load | clients | proxy | CPU µs | of all rounds | × {measure} | per second | p50 ms | p99 ms | alone: p50 added µs | alone: p99 added µs |\n\
         | --- | --: | --- | --: | --- | --: | --: | --: | --: | --: | --: |\n"
    );
    for result in results {
        let _ = writeln!(text, "{}", row(result, results, measure));
    }
    text
}

fn row(result: &Result, all: &[Result], measure: &str) -> String {
    let of = |peer: &str| all.iter().find(|r| r.peer == peer && r.load.name == result.load.name);
    let added = |figure: fn(&Sample) -> f64| match of("direct") {
        Some(direct) if direct.peer != result.peer => {
            format!("{:.0}", median(&result.alone, figure) - median(&direct.alone, figure))
        }
        _ => "–".to_owned(),
    };
    let cpu = median(&result.busy, |sample| sample.cpu);
    let ratio = of(measure).map(|measure| beside(&result.busy, &measure.busy));
    format!(
        "| {} | {} | {} | {} | {} | {} | {:.0} | {:.2} | {:.2} | {} | {} |",
        result.load.name,
        result.load.clients,
        result.peer,
        if cpu > 0.0 { format!("{cpu:.1}") } else { "–".to_owned() },
        if cpu > 0.0 { spread(&result.busy) } else { "–".to_owned() },
        ratio.filter(|_| cpu > 0.0).map_or("–".to_owned(), |ratio| format!("{ratio:.2}")),
        median(&result.busy, |sample| sample.rate),
        median(&result.busy, |sample| sample.p50) / 1e3,
        median(&result.busy, |sample| sample.p99) / 1e3,
        added(|sample| sample.p50),
        added(|sample| sample.p99),
    )
}

/// The cheapest round and the dearest.
fn spread(samples: &[Sample]) -> String {
    let least = samples.iter().map(|sample| sample.cpu).fold(f64::INFINITY, f64::min);
    let most = samples.iter().map(|sample| sample.cpu).fold(0.0, f64::max);
    format!("{least:.1} to {most:.1}")
}

/// The CPU of one peer to that of another, round by round: what the machine did in a round was done to both.
fn beside(samples: &[Sample], measure: &[Sample]) -> f64 {
    middle(samples.iter().zip(measure).map(|(one, other)| one.cpu / other.cpu).collect())
}

fn median(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> f64 {
    middle(samples.iter().map(figure).collect())
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => figures[count / 2],
        count => f64::midpoint(figures[count / 2 - 1], figures[count / 2]),
    }
}
