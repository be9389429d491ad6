//! Times as people have them in crontabs and in other programs' settings, in the form that this
//! program keeps: five fields or a word with one blank between them, and the zone beside it.
//!
//! Both programs ask here; what the fields mean is the server's to know.

/// The highest number of each of the five fields.
const LAST: [u8; 5] = [59, 23, 31, 12, 6];

/// What stands in an example where Jenkins has `H`.
const EXAMPLE: [&str; 5] = ["17", "4", "7", "6", "2"];

/// A cron expression, and the zone that it was given with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Five fields or a word; whether they are right is not known yet.
    pub expression: String,
    /// What stood behind `CRON_TZ=` or `TZ=`.
    pub zone: Option<String>,
}

/// Reads times in the words of crontab(5), Kubernetes and Jenkins: any white space between the
/// fields, `CRON_TZ=ZONE` before them, and `5/15` for from five on every fifteen.
///
/// # Errors
/// A sentence that says what to write instead of Jenkins' `H`.
///
/// ```
/// let line = pakyas::schedule::crontab::read("CRON_TZ=Asia/Manila 5/15\t2 * * *").unwrap();
/// assert_eq!(line.expression, "5-59/15 2 * * *");
/// assert_eq!(line.zone.as_deref(), Some("Asia/Manila"));
/// ```
pub fn read(text: &str) -> Result<Line, String> {
    let mut words = text.split_whitespace().peekable();
    let mut zone = None;
    let assigned = |word: &&str| word.starts_with("CRON_TZ=") || word.starts_with("TZ=");
    while let Some(word) = words.next_if(assigned) {
        let name = word.split_once('=').map_or("", |(_, name)| name);
        let name = name.trim_matches(['"', '\'']).trim_start_matches(':');
        zone = Some(name.to_owned()).filter(|name| !name.is_empty());
    }
    let fields: Vec<&str> = words.collect();
    if fields.len() == LAST.len() && fields.iter().any(|field| is_jenkins(field)) {
        return Err(instead_of_h(&fields));
    }
    let fields = fields.iter().enumerate().map(|(index, field)| {
        let last = LAST.get(index).copied();
        last.map_or((*field).to_owned(), |last| from_on(field, last))
    });
    Ok(Line {
        expression: fields.collect::<Vec<_>>().join(" "),
        zone,
    })
}

/// `5/15` with its end, as a step needs one in crontab(5).
fn from_on(field: &str, last: u8) -> String {
    let items = field.split(',').map(|item| match item.split_once('/') {
        Some((first, step)) if first.parse::<u8>().is_ok_and(|first| first <= last) => {
            format!("{first}-{last}/{step}")
        }
        _ => item.to_owned(),
    });
    items.collect::<Vec<_>>().join(",")
}

fn is_jenkins(field: &str) -> bool {
    field.split(',').any(|item| {
        let rest = item.strip_prefix(['H', 'h']);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '(']))
    })
}

/// What to write where Jenkins picks a number that no one else knows.
fn instead_of_h(fields: &[&str]) -> String {
    let example: Vec<String> = fields
        .iter()
        .zip(EXAMPLE)
        .map(|(field, number)| {
            let items = field
                .split(',')
                .map(|item| match item.strip_prefix(['H', 'h']) {
                    Some("") => number.to_owned(),
                    Some(rest) if rest.starts_with('/') => format!("*{rest}"),
                    Some(rest) if rest.starts_with('(') => match rest[1..].split_once(')') {
                        Some((range, "")) => range.split('-').next().unwrap_or(number).to_owned(),
                        Some((range, step)) => format!("{range}{step}"),
                        None => number.to_owned(),
                    },
                    _ => item.to_owned(),
                });
            items.collect::<Vec<_>>().join(",")
        })
        .collect();
    format!(
        "'{}' has Jenkins' H in it, a number that Jenkins picks for each job and no one else \
         knows; write the numbers at which the job runs (its page in Jenkins tells the next run), \
         such as '{}', or give the time between two runs as a period",
        fields.join(" ").escape_debug(),
        example.join(" ").escape_debug()
    )
}

/// What to ask where a zone is so many hours from UTC by a name such as `GMT+8`: people mean
/// ahead by it, and IANA's names with these signs behind.
///
/// ```
/// use pakyas::schedule::crontab::which_zone;
/// assert!(which_zone("GMT+8").unwrap().contains("'Etc/GMT-8' is 8 hours ahead of UTC"));
/// assert_eq!(which_zone("Etc/GMT+8"), None);
/// ```
pub fn which_zone(text: &str) -> Option<String> {
    let prefix = text.get(..3)?;
    if !["gmt", "utc"].contains(&prefix.to_ascii_lowercase().as_str()) {
        return None;
    }
    let offset = text[3..].trim();
    let hours = offset.strip_prefix(['+', '-'])?;
    let hours = hours.strip_suffix(":00").unwrap_or(hours);
    let is_short = hours.len() <= 2 && hours.bytes().all(|byte| byte.is_ascii_digit());
    let hours: u8 = hours.parse().ok().filter(|_| is_short)?;
    // As far as IANA's names go on both sides.
    if !(1..=12).contains(&hours) {
        return None;
    }
    let unit = if hours == 1 { "hour" } else { "hours" };
    Some(format!(
        "'{}' may mean two time zones: 'Etc/GMT-{hours}' is {hours} {unit} ahead of UTC, and \
         'Etc/GMT+{hours}' is {hours} {unit} behind it; give the one that is meant, or a place \
         such as Asia/Manila",
        text.escape_debug()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(text: &str) -> String {
        read(text).unwrap().expression
    }

    #[test]
    fn any_white_space_stands_between_fields() {
        assert_eq!(expression("  0\t2  *\t* *\n"), "0 2 * * *");
        assert_eq!(expression(" @daily "), "@daily");
    }

    #[test]
    fn a_zone_before_the_fields_is_taken_out() {
        for text in [
            "CRON_TZ=Asia/Manila 0 2 * * *",
            "TZ=Asia/Manila 0 2 * * *",
            "CRON_TZ=\"Asia/Manila\"\n0 2 * * *",
            "TZ=:Asia/Manila\t0 2 * * *",
        ] {
            let line = read(text).unwrap();
            assert_eq!(line.expression, "0 2 * * *", "{text}");
            assert_eq!(line.zone.as_deref(), Some("Asia/Manila"), "{text}");
        }
        assert_eq!(read("CRON_TZ= @daily").unwrap().zone, None);
    }

    #[test]
    fn a_step_from_a_number_on_ends_with_the_field() {
        for (text, plain) in [
            ("5/15 * * * *", "5-59/15 * * * *"),
            ("0 2/6 * * *", "0 2-23/6 * * *"),
            ("0 0 3/7 2/3 1/2", "0 0 3-31/7 2-12/3 1-6/2"),
            ("0,5/15 * * * *", "0,5-59/15 * * * *"),
            // These are said already, or wrong.
            ("*/15 1-5/2 * * MON", "*/15 1-5/2 * * MON"),
            ("70/5 * * * *", "70/5 * * * *"),
        ] {
            assert_eq!(expression(text), plain);
        }
    }

    #[test]
    fn jenkins_h_is_refused_with_what_to_write() {
        for (text, instead) in [
            ("H 4 * * *", "'17 4 * * *'"),
            ("H H * * *", "'17 4 * * *'"),
            ("H/15 * * * *", "'*/15 * * * *'"),
            ("H(0-29)/10 * * * *", "'0-29/10 * * * *'"),
            ("H H(2-5) * * 1-5", "'17 2 * * 1-5'"),
            ("h 4 * * *", "'17 4 * * *'"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(instead) && told.contains("Jenkins"), "{told}");
        }
        // Names with an H in them are none.
        assert!(read("0 0 * MAR THU").is_ok());
    }

    #[test]
    fn a_zone_that_may_be_two_is_asked_about() {
        for text in ["GMT+8", "utc+8", "UTC+08:00", "GMT-08"] {
            let question = which_zone(text).unwrap();
            assert!(
                question.contains("'Etc/GMT-8' is 8 hours ahead"),
                "{question}"
            );
            assert!(
                question.contains("'Etc/GMT+8' is 8 hours behind"),
                "{question}"
            );
        }
        for text in [
            "Etc/GMT+8",
            "GMT",
            "UTC",
            "GMT+0",
            "UTC+5:30",
            "GMT+15",
            "Grüße+8",
            "",
        ] {
            assert_eq!(which_zone(text), None, "{text}");
        }
    }
}
