//! How values are spelled for people: addresses, amounts, times, and text that somebody else wrote.
//!
//! Used by every page of the review and by other commands. What must stay true: whatever goes in, what
//! comes out is printable ASCII on one line; an address is always whole; digits are grouped by spaces,
//! because a comma is a point elsewhere.

use airlock_shared::batch::Wallet;
use airlock_shared::{Address, BaseUnits, Network};

/// An address in groups of four characters, `0x` apart.
pub fn grouped(address: &Address) -> String {
    let text = address.to_string();
    let (prefix, rest) = text.strip_prefix("0x").map_or(("", text.as_str()), |rest| ("0x ", rest));
    let groups: Vec<_> =
        rest.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    prefix.to_owned() + &groups.join(" ")
}

/// What people compare of an address: its first four characters (after `0x`) and its last four, in one
/// case. Two addresses of equal ends are made in minutes.
pub fn ends(address: &Address) -> (String, String) {
    let text = address.to_string().to_ascii_lowercase();
    let rest = text.strip_prefix("0x").unwrap_or(&text);
    let (head, tail) = (rest.get(..4), rest.get(rest.len().saturating_sub(4)..));
    (head.unwrap_or(rest).to_owned(), tail.unwrap_or(rest).to_owned())
}

/// A wallet of ours by role, index and address.
pub fn wallet(wallet: &Wallet) -> String {
    format!("{} wallet {}  {}", wallet.role.name(), wallet.index, grouped(&wallet.address))
}

/// A decimal amount with its whole digits in groups of three: `10 000 000.5`.
pub fn amount(base: BaseUnits, decimals: u8) -> String {
    let text = base.to_decimal(decimals);
    match text.split_once('.') {
        Some((whole, fraction)) => format!("{}.{fraction}", thousands(whole)),
        None => thousands(&text),
    }
}

/// Digits in groups of three.
pub fn thousands(digits: &str) -> String {
    let first = digits.len() % 3;
    let (head, rest) = digits.split_at(first);
    let groups = rest.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let head = (!head.is_empty()).then(|| head.to_owned());
    head.into_iter().chain(groups).collect::<Vec<_>>().join(" ")
}

/// "1 item", "2 items", "3 batches", "1 000 addresses".
pub fn counted(count: usize, one: &str) -> String {
    let plural = match count {
        1 => "",
        _ if one.ends_with("ch") || one.ends_with("ss") => "es",
        _ => "s",
    };
    format!("{} {one}{plural}", thousands(&count.to_string()))
}

/// Numbers as runs: `0-2, 7, 9-10`.
pub fn runs(numbers: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    let shown = |(first, last): &(usize, usize)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first}-{last}"),
    };
    runs.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// Foreign text on one line in quotes: everything but printable ASCII as an escape.
pub fn escaped(text: &str) -> String {
    let plain = |c: char| (c.is_ascii_graphic() || c == ' ') && c != '\\' && c != '"';
    let quoted = text.chars().map(|c| if plain(c) { c.to_string() } else { c.escape_unicode().to_string() });
    format!("\"{}\"", quoted.collect::<String>())
}

/// Foreign bytes: as text if they are text, else in hex.
pub fn escaped_bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => escaped(text),
        Err(_) => format!("not text: 0x{}", hex::encode(bytes)),
    }
}

/// A length of time, from days down to seconds: `2 d 3 h`, `57 min 31 s`.
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ if seconds % 86_400 < 3_600 => format!("{} d", seconds / 86_400),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// Seconds since 1970 as a date and time of day (proleptic Gregorian, no leap seconds).
pub fn utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days from 1 March of the year 0, in eras of 400 years; so a leap day is the last of its year.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// A network by the name that people use, beside its CAIP-2 name.
pub fn network(network: Network) -> String {
    let name = match network {
        Network::ETHEREUM => "Ethereum",
        Network::BSC => "BNB Smart Chain",
        Network::POLYGON => "Polygon",
        Network::ARBITRUM => "Arbitrum One",
        Network::TRON => "TRON",
        Network::NILE => "TRON Nile, a test network",
        Network::SHASTA => "TRON Shasta, a test network",
        Network::TRON_DEV | Network::EVM_DEV => "development chain",
        Network::Evm { .. } | Network::Tron { .. } => return network.to_string(),
    };
    format!("{name} ({network})")
}

/// What fees are paid in, and its decimals.
pub const fn coin(network: Network) -> (&'static str, u8) {
    match network {
        Network::Tron { .. } => ("TRX", 6),
        Network::ETHEREUM | Network::ARBITRUM => ("ETH", 18),
        Network::BSC => ("BNB", 18),
        Network::POLYGON => ("POL", 18),
        Network::Evm { .. } => ("native coin", 18),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_move_the_cursor_or_turn_the_line_around() {
        assert_eq!(
            escaped("pay \u{1b}[2J\u{202e}x\n\\\""),
            "\"pay \\u{1b}[2J\\u{202e}x\\u{a}\\u{5c}\\u{22}\""
        );
        assert_eq!(escaped_bytes(&[0xff, 0x1b]), "not text: 0xff1b");
    }

    #[test]
    fn times_are_dates_that_a_person_can_compare_with_a_clock() {
        for (seconds, date) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_763_640_000, "2025-11-20 12:00:00 UTC"),
            (4_107_542_399, "2100-02-28 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(utc(seconds), date);
        }
    }

    #[test]
    fn look_alikes_are_compared_as_people_do_without_the_case_of_letters() {
        let payload = |middle| [&[0xab, 0xcd], &[middle; 16][..], &[0xef, 0x01]].concat().try_into();
        let of = |middle| ends(&Address::new(Network::ETHEREUM, payload(middle).unwrap()));
        assert_eq!(of(1), ("abcd".to_owned(), "ef01".to_owned()));
        assert_eq!(of(1), of(0xee));
    }

    #[test]
    fn addresses_are_shown_whole_in_groups_of_four() {
        let address = Address::new(Network::ETHEREUM, [0xab; 20]);
        let shown = grouped(&address);
        assert_eq!(shown.replace(' ', ""), address.to_string());
        assert!(shown.starts_with("0x "));
        let tron = Address::new(Network::TRON, [1; 20]);
        assert_eq!(grouped(&tron).replace(' ', ""), tron.to_string());
    }

    #[test]
    fn ten_million_is_read_at_a_glance() {
        assert_eq!(amount(BaseUnits::from(10_000_000_500_000_u64), 6), "10 000 000.5");
        assert_eq!(amount(BaseUnits::from(999_u64), 0), "999");
        assert_eq!(counted(1_000, "address"), "1 000 addresses");
        assert_eq!(runs(&[0, 1, 2, 7, 9, 10]), "0-2, 7, 9, 10");
    }
}
