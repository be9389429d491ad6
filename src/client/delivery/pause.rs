//! How long to wait between two attempts. Pure: chance and the server's wish are passed in.

use std::time::Duration;

/// The first pause is at most this long; each further one may be twice as long.
const FIRST: Duration = Duration::from_millis(400);
/// No pause grows beyond this.
const LONGEST: Duration = Duration::from_secs(10);

/// The pause after attempt number `attempt` (from 1). `chance` spreads it over its upper
/// half, so that a thousand hosts whose server came back do not all ask in the same moment.
/// Never shorter than the server `asked` for.
pub fn after(attempt: u32, chance: u8, asked: Option<Duration>) -> Duration {
    let doublings = attempt.saturating_sub(1).min(10);
    let ceiling = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    let pause = ceiling / 2 + ceiling / 2 * u32::from(chance) / 255;
    asked.map_or(pause, |asked| asked.max(pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        let ms = |attempt| after(attempt, 255, None).as_millis();
        assert_eq!(
            [ms(1), ms(2), ms(3), ms(6), ms(100)],
            [400, 800, 1_600, 10_000, 10_000]
        );
    }

    #[test]
    fn chance_spreads_a_pause_over_its_upper_half() {
        assert_eq!(after(1, 0, None), Duration::from_millis(200));
        assert!(after(1, 128, None) > after(1, 0, None));
        assert!(after(1, 128, None) < after(1, 255, None));
    }

    #[test]
    fn the_server_is_not_asked_sooner_than_it_wished() {
        let asked = Some(Duration::from_secs(25));
        assert_eq!(after(1, 255, asked), Duration::from_secs(25));
        assert_eq!(after(9, 255, Some(Duration::ZERO)), Duration::from_secs(10));
    }
}
