//! Durations: what is read is written back and read again as the same.

use pakyas::schedule::{cron_times, format_duration, parse_duration};

pub fn target(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match parse_duration(text) {
        Ok(seconds) => {
            let written = format_duration(seconds);
            assert_eq!(parse_duration(&written), Ok(seconds), "{written}");
            assert_eq!(parse_duration(&format!(" {text}\t")), Ok(seconds));
            assert_eq!(parse_duration(&text.to_ascii_uppercase()), Ok(seconds));
            let _ = cron_times(seconds);
        }
        Err(why) => {
            let why = why.to_string();
            assert!(why.chars().count() < 600, "{why}");
            assert!(!why.contains(char::is_control), "{why:?}");
        }
    }
}
