//! `chatMsg.time`: `yyyy-MM-dd HH:mm:ss`, the sender's own text.

use time::macros::format_description;
use time::{Date, Month, OffsetDateTime};

/// A time as the wire writes it: 19 ASCII characters that name a real date.
///
/// It is kept as the sender's text, since it orders and expires nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamp(String);

impl Timestamp {
    /// Checks the form, the date (leap years included) and the time of day.
    pub fn parse(text: &str) -> Option<Self> {
        let b = text.as_bytes();
        let shape = b"dddd-dd-dd dd:dd:dd";
        let fits = b.len() == shape.len()
            && b.iter().zip(shape).all(|(c, s)| match s {
                b'd' => c.is_ascii_digit(),
                _ => c == s,
            });
        if !fits {
            return None;
        }
        let number = |from: usize, to: usize| {
            b[from..to]
                .iter()
                .fold(0u16, |n, d| n * 10 + u16::from(d - b'0'))
        };
        let month = Month::try_from(u8::try_from(number(5, 7)).ok()?).ok()?;
        let day = u8::try_from(number(8, 10)).ok()?;
        Date::from_calendar_date(i32::from(number(0, 4)), month, day).ok()?;
        let real = number(11, 13) < 24 && number(14, 16) < 60 && number(17, 19) < 60;
        real.then(|| Self(text.to_owned()))
    }

    /// Now, in UTC.
    pub fn now() -> Self {
        let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
        let text = OffsetDateTime::now_utc().format(&format);
        // Formatting fails only for a description that needs parts which the value lacks.
        Self(text.unwrap_or_else(|_| "1970-01-01 00:00:00".to_owned()))
    }

    /// The text, as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, as sent, taking it.
    pub fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_real_dates_in_the_one_form_are_times() {
        for text in [
            "2021-12-14 12:00:00",
            "2024-02-29 23:59:59",
            "0001-01-01 00:00:00",
        ] {
            assert_eq!(Timestamp::parse(text).map(|t| t.0), Some(text.to_owned()));
        }
        for text in [
            "2023-02-29 00:00:00",
            "2021-13-01 00:00:00",
            "2021-00-01 00:00:00",
            "2021-12-32 00:00:00",
            "2021-12-14 24:00:00",
            "2021-12-14 12:60:00",
            "2021-12-14 12:00:60",
            "2021-12-14T12:00:00",
            "2021-12-14 12:00:0",
            "２021-12-14 12:00:00",
            "",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
        assert!(Timestamp::parse(Timestamp::now().as_str()).is_some());
    }
}
