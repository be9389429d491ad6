//! What a bench has measured: printed as it comes, and kept as a file for the table at the end
//! of `make bench`.

#![allow(dead_code, reason = "each bench uses a part")]
#![allow(missing_docs, reason = "read beside the benches that use it")]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Where the files are: below the target folder, one for each bench.
pub fn folder() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    target.join("bench")
}

/// What a figure is meant to be.
#[derive(Clone, Copy)]
pub enum Aim {
    /// Ours.
    AtMost(f64),
    /// Ours by the other's.
    RatioAtMost(f64),
    RatioAtLeast(f64),
}

/// A median and the middle eight tenths of what it is the median of.
#[derive(Clone, Copy)]
pub struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Spread {
    pub fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let at = |part: f64| samples[((samples.len() - 1) as f64 * part).round() as usize];
        Self {
            low: at(0.1),
            median: at(0.5),
            high: at(0.9),
        }
    }

    fn json(self) -> Value {
        json!({ "low": self.low, "median": self.median, "high": self.high })
    }
}

/// One thing that was measured.
pub struct Figure {
    what: String,
    unit: &'static str,
    ours: Vec<f64>,
    beside: Option<(&'static str, Vec<f64>)>,
    aim: Option<Aim>,
    /// With how many checks, where that is what grows.
    checks: Option<usize>,
}

impl Figure {
    /// All samples of ours.
    pub fn new(what: impl Into<String>, unit: &'static str, ours: Vec<f64>) -> Self {
        Self {
            what: what.into(),
            unit,
            ours,
            beside: None,
            aim: None,
            checks: None,
        }
    }

    /// What was measured once.
    pub fn single(what: impl Into<String>, unit: &'static str, ours: f64) -> Self {
        Self::new(what, unit, vec![ours])
    }

    /// What `other` came to, measured in turn with ours: as many samples, in the same order.
    pub fn beside(mut self, other: &'static str, theirs: Vec<f64>) -> Self {
        assert_eq!(self.ours.len(), theirs.len());
        self.beside = Some((other, theirs));
        self
    }

    pub fn aim(mut self, aim: Aim) -> Self {
        self.aim = Some(aim);
        self
    }

    pub fn with_checks(mut self, count: usize) -> Self {
        self.checks = Some(count);
        self
    }

    fn json(self, bench: &str) -> Value {
        let ours = Spread::of(self.ours.clone());
        let (other, theirs, ratio) = match self.beside {
            None => (None, None, None),
            Some((other, theirs)) => {
                let ratios = self.ours.iter().zip(&theirs).map(|(a, b)| a / b).collect();
                let (theirs, ratio) = (Spread::of(theirs), Spread::of(ratios));
                (Some(other), Some(theirs), Some(ratio))
            }
        };
        let (aim, met) = match (self.aim, ratio) {
            (Some(Aim::AtMost(most)), _) => {
                (Some(format!("at most {most}")), Some(ours.median <= most))
            }
            (Some(Aim::RatioAtMost(most)), Some(ratio)) => (
                Some(format!("ratio at most {most}")),
                Some(ratio.median <= most),
            ),
            (Some(Aim::RatioAtLeast(least)), Some(ratio)) => (
                Some(format!("ratio at least {least}")),
                Some(ratio.median >= least),
            ),
            _ => (None, None),
        };
        json!({
            "bench": bench, "what": self.what, "unit": self.unit, "samples": self.ours.len(),
            "ours": ours.json(), "other": other, "theirs": theirs.map(Spread::json),
            "ratio": ratio.map(Spread::json), "aim": aim, "met": met, "checks": self.checks,
        })
    }
}

/// The figures of one bench.
pub struct Figures {
    bench: &'static str,
    list: Vec<Value>,
}

impl Figures {
    pub fn of(bench: &'static str) -> Self {
        println!("{bench}:");
        Self {
            bench,
            list: Vec::new(),
        }
    }

    pub fn add(&mut self, figure: Figure) {
        let figure = figure.json(self.bench);
        println!("  {}", line(&figure));
        self.list.push(figure);
    }

    /// Keeps them for the table.
    pub fn write(self) {
        let folder = folder();
        std::fs::create_dir_all(&folder).unwrap();
        let text = serde_json::to_string_pretty(&self.list).unwrap();
        std::fs::write(folder.join(format!("{}.json", self.bench)), text).unwrap();
    }
}

/// A figure as a row for people: what, ours, theirs, the ratio, and what was aimed at.
pub fn line(figure: &Value) -> String {
    let text = |name: &str| figure[name].as_str().unwrap_or_default();
    let what = match figure["checks"].as_u64() {
        Some(checks) => format!("{}, {} checks", text("what"), grouped(checks)),
        None => text("what").to_owned(),
    };
    let mut line = format!(
        "{what:<52} {:>9} {:<4}",
        short(&figure["ours"]["median"]),
        text("unit")
    );
    if figure["ratio"].is_object() {
        let ratio = |part: &str| figure["ratio"][part].as_f64().unwrap_or_default();
        line += &format!(
            " {:<6} {:>9}  ratio {:.2} ({:.2}–{:.2})",
            text("other"),
            short(&figure["theirs"]["median"]),
            ratio("median"),
            ratio("low"),
            ratio("high"),
        );
    } else if figure["samples"].as_u64() > Some(1) {
        line += &format!(
            " ({}–{})",
            short(&figure["ours"]["low"]),
            short(&figure["ours"]["high"])
        );
    }
    match figure["met"].as_bool() {
        Some(true) => line += &format!("  aim: {}", text("aim")),
        Some(false) => line += &format!("  MISSED: {}", text("aim")),
        None => {}
    }
    line.trim_end().to_owned()
}

/// Three digits that count, or all of a larger number.
fn short(number: &Value) -> String {
    match number.as_f64().unwrap_or_default() {
        number if number >= 1000.0 => grouped(number.round() as u64),
        number if number >= 100.0 => format!("{number:.0}"),
        number if number >= 10.0 => format!("{number:.1}"),
        number => format!("{number:.2}"),
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
