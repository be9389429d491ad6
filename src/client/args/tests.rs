//! The command line, read without starting anything.

use std::os::unix::ffi::OsStringExt;

use proptest::prelude::*;

use super::*;

fn os(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn run(words: &[&str]) -> Invocation {
    match parse(os(words)) {
        Ok(Parsed::Run(invocation)) => *invocation,
        other => panic!("{words:?}: {other:?}"),
    }
}

fn refusal(words: &[&str]) -> String {
    match parse(os(words)) {
        Err(error) => {
            assert_eq!(error.kind(), Kind::Usage);
            error.to_string()
        }
        Ok(other) => panic!("{words:?}: {other:?}"),
    }
}

#[test]
fn global_flags_are_taken_wherever_they_stand() {
    for words in [
        &["--format", "json", "check", "list"][..],
        &["check", "--format", "json", "list"],
        &["check", "list", "--format", "json"],
        &["check", "list", "--format=json"],
    ] {
        let invocation = run(words);
        assert_eq!(invocation.globals.format.as_deref(), Some("json"));
        assert!(matches!(
            invocation.command,
            Command::Check(Check {
                command: CheckCommand::List(_)
            })
        ));
    }
}

#[test]
fn an_underscore_in_a_flags_name_is_a_dash() {
    let invocation = run(&["monitor", "--public_id", "a_b", "--", "true"]);
    let Command::Monitor(monitor) = invocation.command else {
        panic!("not monitor");
    };
    assert_eq!(monitor.public_id.as_deref(), Some("a_b"));
}

#[test]
fn a_value_that_looks_like_a_flag_stays_a_value() {
    let invocation = run(&["ping", "x", "--message", "--quiet", "--run", "-v"]);
    let Command::Ping(ping) = invocation.command else {
        panic!("not ping");
    };
    assert_eq!(ping.message.as_deref(), Some("--quiet"));
    assert_eq!(ping.run.as_deref(), Some("-v"));
    assert!(!invocation.globals.quiet && !invocation.globals.verbose);
}

#[test]
fn only_the_first_equals_sign_splits_and_the_value_keeps_its_underscores() {
    let invocation = run(&["ping", "x", "--message=a_b=--c_d"]);
    let Command::Ping(ping) = invocation.command else {
        panic!("not ping");
    };
    assert_eq!(ping.message.as_deref(), Some("a_b=--c_d"));
}

#[test]
fn what_follows_the_dashes_is_the_jobs_alone() {
    let mut words = os(&["monitor", "x", "-v", "--"]);
    let job = [
        OsString::from("cmd"),
        OsString::from("-v"),
        OsString::from("--quiet"),
        OsString::from("--"),
        OsString::from("--a_b=c"),
        OsString::new(),
        OsString::from_vec(vec![0xff, 0xfe]),
    ];
    words.extend(job.iter().cloned());
    let Ok(Parsed::Run(invocation)) = parse(words) else {
        panic!("not taken");
    };
    assert_eq!(invocation.rest.as_deref(), Some(&job[..]));
    assert!(invocation.globals.verbose && !invocation.globals.quiet);
}

#[test]
fn bytes_that_are_not_utf_8_before_the_dashes_are_refused_with_a_sentence() {
    let error = parse([OsString::from("ping"), OsString::from_vec(vec![b'a', 0xff])]).unwrap_err();
    assert!(error.to_string().contains("UTF-8"), "{error}");
}

#[test]
fn the_word_help_is_a_slug_after_a_command_and_help_before_one() {
    let Command::Ping(ping) = run(&["ping", "help"]).command else {
        panic!("not ping");
    };
    assert_eq!(ping.slug.as_deref(), Some("help"));
    for words in [
        &["help", "check", "create"][..],
        &["check", "create", "--help"],
        &["--help", "check", "create"],
        &["check", "create", "--frobnicate", "-h"],
    ] {
        let Ok(Parsed::Print(text)) = parse(os(words)) else {
            panic!("{words:?}");
        };
        assert!(text.starts_with("Usage: pakyas check create "), "{text}");
    }
}

/// Calls `look` with every command and its path.
fn every_command(look: &mut impl FnMut(&argh::CommandInfoWithArgs, &[String])) {
    fn walk(
        info: &argh::CommandInfoWithArgs,
        path: &mut Vec<String>,
        look: &mut impl FnMut(&argh::CommandInfoWithArgs, &[String]),
    ) {
        look(info, path);
        for command in &info.commands {
            path.push(command.name.to_owned());
            walk(&command.command, path, look);
            path.pop();
        }
    }
    walk(&Cli::get_args_info(), &mut Vec::new(), look);
}

#[test]
fn every_command_has_a_purpose_and_two_examples() {
    every_command(&mut |info, path| {
        let purpose = info.description;
        assert!(
            purpose.ends_with('.') && (10..=100).contains(&purpose.len()),
            "{path:?}: {purpose:?}"
        );
        let examples: Vec<_> = info.examples.iter().flat_map(|text| text.lines()).collect();
        assert!(examples.len() >= 2, "{path:?}: {examples:?}");
        let text = help(path);
        assert!(text.starts_with("Usage: pakyas"), "{path:?}: {text}");
        let of_it = format!("pakyas {}", path.join(" "));
        for example in examples {
            assert!(text.contains(example), "{path:?}: {text}");
            let last = path.last().map_or("pakyas", String::as_str);
            assert!(example.contains(last), "{example} is none of {of_it}");
        }
    });
}

#[test]
fn every_flag_and_every_argument_is_described() {
    every_command(&mut |info, path| {
        let flags = info.flags.iter().map(|flag| (flag.long, flag.description));
        let positionals = info.positionals.iter().map(|p| (p.name, p.description));
        for (name, description) in flags.chain(positionals) {
            assert!(description.len() > 4, "{path:?} {name}: {description:?}");
            assert!(
                !description.ends_with('.'),
                "{path:?} {name}: {description:?}"
            );
        }
    });
}

#[test]
fn the_help_of_the_program_fits_one_screen_and_has_every_command_in_its_group() {
    let text = help(&[]);
    assert!(text.lines().count() <= 45, "{}", text.lines().count());
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(!text.contains("More "), "{text}");
    for command in Cli::get_args_info().commands {
        let begins = |line: &&str| line.get(9..).is_some_and(|l| l.starts_with(command.name));
        assert!(text.lines().any(|line| begins(&line)), "{}", command.name);
    }
}

#[test]
fn every_example_of_the_help_is_a_command_line_that_is_taken() {
    fn walk(info: &argh::CommandInfoWithArgs) {
        for line in info.examples.iter().flat_map(|text| text.lines()) {
            // What the shell does with it is not ours.
            let line = line.split(['|', '>', '<']).next().unwrap_or(line);
            let mut words = Vec::new();
            for (index, part) in line.trim().split('"').enumerate() {
                match index % 2 {
                    0 => words.extend(part.split_whitespace().map(OsString::from)),
                    _ => words.push(OsString::from(part)),
                }
            }
            words.remove(0);
            assert!(matches!(parse(words), Ok(Parsed::Run(_))), "{line}");
        }
        for command in &info.commands {
            walk(&command.command);
        }
    }
    walk(&Cli::get_args_info());
}

#[test]
fn mistakes_are_told_with_what_mends_them() {
    for (words, hint) in [
        (&["chekc", "list"][..], "did you mean 'check'?"),
        (&["check", "lst"], "did you mean 'list'?"),
        (&["ping", "x", "--strat"], "did you mean --start?"),
        (&["check"], "create, list, show, logs"),
        (&[], "Usage: pakyas [FLAGS] COMMAND"),
        (&["-v"], "see 'pakyas --help'"),
        (&["org", "switch"], "needs ORG"),
        (&["channel", "create", "--kind", "webhook"], "needs --name"),
        (&["ping", "x", "--exit-code"], "needs a value"),
        (&["ping", "x", "--start=1"], "takes no value"),
        (&["ping", "x", "--run", "a", "--run", "b"], "given twice"),
        (&["monitor", "x", "make", "all"], "put -- before"),
        (&["org", "switch", "My", "Company"], "need quotes"),
        (&["ping", "--", "x"], "Only 'pakyas monitor'"),
    ] {
        let message = refusal(words);
        assert!(message.contains(hint), "{words:?}: {message}");
    }
}

#[test]
fn version_is_told_wherever_it_is_asked_for() {
    for words in [&["--version"][..], &["check", "list", "--version"]] {
        let Ok(Parsed::Print(text)) = parse(os(words)) else {
            panic!("{words:?}");
        };
        assert_eq!(text, format!("pakyas {}\n", crate::VERSION));
    }
}

proptest! {
    #[test]
    fn no_command_line_makes_it_panic(words in prop::collection::vec(
        prop_oneof![
            "[a-z_=-]{0,12}",
            Just("--format".to_owned()),
            Just("monitor".to_owned()),
            Just("check".to_owned()),
            Just("create".to_owned()),
            Just("--".to_owned()),
            "\\PC{0,10}",
        ], 0..8)) {
        let _ = parse(words.into_iter().map(OsString::from));
    }

    #[test]
    fn any_value_reaches_its_flag_in_both_spellings(value in "\\PC{0,20}") {
        prop_assume!(value != "--");
        for words in [
            vec!["ping".to_owned(), "x".to_owned(), "--message".to_owned(), value.clone()],
            vec!["ping".to_owned(), "x".to_owned(), format!("--message={value}")],
        ] {
            let Ok(Parsed::Run(invocation)) = parse(words.into_iter().map(OsString::from)) else {
                panic!("not taken");
            };
            let Command::Ping(ping) = invocation.command else { panic!("not ping") };
            prop_assert_eq!(ping.message.as_deref(), Some(value.as_str()));
        }
    }

    #[test]
    fn the_jobs_arguments_come_through_whatever_bytes_they_are(
        job in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..10), 0..5)
    ) {
        let job: Vec<OsString> = job.into_iter().map(OsString::from_vec).collect();
        let mut words = os(&["monitor", "x", "--"]);
        words.extend(job.iter().cloned());
        let Ok(Parsed::Run(invocation)) = parse(words) else { panic!("not taken") };
        prop_assert_eq!(invocation.rest, Some(job));
    }
}
