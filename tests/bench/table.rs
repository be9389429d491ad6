//! The end of `make bench`: all figures as one table, as a file for programs, and how they grow
//! with the number of checks as a picture.
//!
//! `cargo bench --bench table`, after the others; see `target/bench`

#![allow(missing_docs, reason = "a program, not a library")]

mod figures;

use std::fmt::Write as _;
use std::process::Command;

use figures::{folder, line};
use serde_json::{Value, json};

/// In the order of the table.
const BENCHES: [&str; 5] = ["startup", "ping", "monitor", "dashboard", "server"];

fn main() {
    let read = |bench: &&str| -> Option<Vec<Value>> {
        let text = std::fs::read_to_string(folder().join(format!("{bench}.json"))).ok()?;
        serde_json::from_str(&text).ok()
    };
    let figures: Vec<Value> = BENCHES.iter().filter_map(read).flatten().collect();
    if figures.is_empty() {
        println!("There is nothing to tell yet: run make bench.");
        return;
    }
    let machine = machine();
    println!();
    for name in [
        "programs",
        "processor",
        "kernel",
        "nginx",
        "curl",
        "commit",
        "date",
    ] {
        println!("{name:<10} {}", machine[name].as_str().unwrap_or("unknown"));
    }
    let mut bench = "";
    for figure in &figures {
        let name = figure["bench"].as_str().unwrap_or_default();
        if name != bench {
            println!("\n{name}");
            bench = name;
        }
        println!("  {}", line(figure));
    }
    let picture = growth(&figures);
    let all = json!({ "machine": machine, "figures": figures });
    let all = serde_json::to_string_pretty(&all).unwrap_or_default() + "\n";
    std::fs::write(folder().join("results.json"), all).unwrap();
    std::fs::write(folder().join("growth.svg"), picture).unwrap();
    println!(
        "\nAlso in {0}/results.json and {0}/growth.svg",
        folder().display()
    );
}

fn machine() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo");
    let processor = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown", |name| name.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // nginx tells its version to stderr.
    let told = |program: &str, arguments: &[&str]| -> Option<String> {
        let told = Command::new(program).args(arguments).output().ok()?;
        let text = [told.stdout, told.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        Some(text.lines().next()?.trim().to_owned())
    };
    let curl =
        told("curl", &["--version"]).and_then(|text| Some(text.split(' ').nth(1)?.to_owned()));
    let nginx = told("nginx", &["-v"])
        .or_else(|| told("/usr/sbin/nginx", &["-v"]))
        .and_then(|text| Some(text.rsplit('/').next()?.to_owned()));
    let programs = match std::env::var_os("PAKYAS_BIN").is_some() {
        true => "static, as make dist makes them",
        false => "as cargo build --release makes them",
    };
    json!({
        "programs": programs,
        "processor": format!("{processor}, {cores} cores"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "load": read("/proc/loadavg").trim(),
        "nginx": nginx,
        "curl": curl,
        "commit": told("git", &["rev-parse", "--short", "HEAD"]),
        "date": told("date", &["-u", "+%F %H:%M UTC"]),
    })
}

/// One drawing for a thing that grows.
struct Panel {
    title: &'static str,
    /// Which part of a figure it shows: `ratio` or `ours`.
    part: &'static str,
    /// The figures that it shows, each with the words beside its line.
    series: &'static [(&'static str, &'static str)],
}

const PANELS: [Panel; 4] = [
    Panel {
        title: "Pings a second, nginx = 1",
        part: "ratio",
        series: &[
            ("durable pings, new connections", "new connections"),
            ("durable pings, kept connections", "kept connections"),
        ],
    },
    Panel {
        title: "Memory, MB",
        part: "ours",
        series: &[("memory", "")],
    },
    Panel {
        title: "Start, ms",
        part: "ours",
        series: &[("start", "")],
    },
    Panel {
        title: "Lag of the alerts, p99, ms",
        part: "ours",
        series: &[("due at once, lag p99", "")],
    },
];

const COLOURS: [&str; 2] = ["#1f5fbf", "#b3541e"];
const WIDTH: f64 = 210.0;
const HEIGHT: f64 = 120.0;

/// Panels side by side, on white so that it can be read on any page.
fn growth(figures: &[Value]) -> String {
    let step = WIDTH + 60.0;
    let whole = step * PANELS.len() as f64 + 20.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {whole} 220\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>How the server's figures grow with the number of checks</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for (place, shown) in PANELS.iter().enumerate() {
        let left = step * place as f64 + 55.0;
        let lines: Vec<(&str, Vec<(f64, f64)>)> = shown
            .series
            .iter()
            .map(|(what, name)| (*name, points(figures, what, shown.part)))
            .collect();
        panel(&mut svg, left, shown.title, &lines);
    }
    svg + "</svg>\n"
}

/// Number of checks and the median.
fn points(figures: &[Value], what: &str, part: &str) -> Vec<(f64, f64)> {
    let mine = |figure: &&Value| {
        figure["bench"] == "server"
            && figure["what"]
                .as_str()
                .is_some_and(|name| name == what || name.ends_with(&format!(" {what}")))
            && !figure["what"]
                .as_str()
                .is_some_and(|name| name.starts_with("one core"))
    };
    figures
        .iter()
        .filter(mine)
        .filter_map(|figure| Some((figure["checks"].as_f64()?, figure[part]["median"].as_f64()?)))
        .collect()
}

fn panel(svg: &mut String, left: f64, title: &str, lines: &[(&str, Vec<(f64, f64)>)]) {
    let all = || lines.iter().flat_map(|(_, points)| points);
    let most = all().map(|point| point.1).fold(0.0, f64::max);
    let top = nice(most);
    let (first, last) = all().fold((f64::MAX, 0.0_f64), |(first, last), point| {
        (first.min(point.0), last.max(point.0))
    });
    let x = |checks: f64| {
        let span = (last.log10() - first.log10()).max(1e-9);
        left + WIDTH * (checks.log10() - first.log10()) / span
    };
    let y = |value: f64| 40.0 + HEIGHT * (1.0 - value / top);
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"20\" font-weight=\"bold\" fill=\"#222\">{title}</text>"
    );
    for part in [0.0, 0.5, 1.0] {
        // Three digits behind the point: a half of 0.6 is not exactly 0.3.
        let value = (top * part * 1000.0).round() / 1000.0;
        let _ = writeln!(
            svg,
            "<path d=\"M{left} {0:.1}H{1:.1}\" stroke=\"#ccc\"/><text x=\"{2:.1}\" y=\"{3:.1}\" \
             text-anchor=\"end\" fill=\"#555\">{value}</text>",
            y(value),
            left + WIDTH,
            left - 6.0,
            y(value) + 4.0
        );
    }
    for (place, (name, points)) in lines.iter().enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        let path: Vec<String> = points
            .iter()
            .map(|(checks, value)| format!("{:.1} {:.1}", x(*checks), y(*value)))
            .collect();
        let _ = writeln!(
            svg,
            "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join("L")
        );
        for (checks, value) in points {
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x(*checks),
                y(*value)
            );
            if place == 0 {
                let _ = writeln!(
                    svg,
                    "<text x=\"{:.1}\" y=\"178\" text-anchor=\"middle\" fill=\"#555\">{}</text>",
                    x(*checks),
                    if *checks >= 1000.0 {
                        format!("{}k", checks / 1000.0)
                    } else {
                        checks.to_string()
                    }
                );
            }
        }
        if !name.is_empty() {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"200\" fill=\"{colour}\">{name}</text>",
                left + place as f64 * 115.0
            );
        }
    }
}

/// The next round number from `most` on.
fn nice(most: f64) -> f64 {
    let size = 10_f64.powf(most.max(1e-9).log10().floor());
    [1.0, 2.0, 4.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|factor| factor * size)
        .find(|round| *round >= most)
        .unwrap_or(most)
}
