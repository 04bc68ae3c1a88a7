//! What a person reads before typing the eight words: the batch, decoded from the fields that are signed.
//!
//! Called by `sign`, `approve`, `inspect` and `policy`. What must stay true: everything shown comes from the
//! decoded content, never from a label or a claim alone; full addresses, in groups of four; foreign text is
//! escaped and one line; plain text without colour or cursor movement, so that logs and screen readers get
//! the same.

use airlock_shared::approval::Approval;
use airlock_shared::batch::{Content, Context, Item, Wallet};
use airlock_shared::policy::{FeeCaps, NetworkPolicy, Policy};
use airlock_shared::{Address, BaseUnits, Digest, Family, words};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Writing to a `String` cannot fail.
macro_rules! line {
    ($to:expr, $($text:tt)*) => {{ let _infallible = writeln!($to, $($text)*); }};
}

/// One batch, whole.
pub fn batch(content: &Content, digest: &Digest, approvals: &[Approval], now: u64) -> String {
    let mut page = String::new();
    header(&mut page, content, digest, now);
    sums(&mut page, content);
    cost(&mut page, content);
    for one in approvals {
        line!(page, "approved by  {} (as the file says; the policy decides whether it counts)", one.person);
    }
    for warning in warnings(content) {
        line!(page, "ATTENTION    {warning}");
    }
    line!(page, "");
    for (number, item) in content.items.iter().enumerate() {
        item_lines(&mut page, content, number, item);
    }
    page
}

/// The eight words of a digest, set apart.
pub fn eight_words(digest: &Digest) -> String {
    format!("\n    {}\n", words::words(digest))
}

fn header(page: &mut String, content: &Content, digest: &Digest, now: u64) {
    line!(page, "batch        {}  {}", content.batch_id, content.kind);
    line!(page, "network      {} ({})", content.network, content.profile.name());
    match &content.source {
        Some(wallet) => line!(page, "pays         {}", shown_wallet(wallet)),
        None => line!(page, "pays         each item from its own deposit address"),
    }
    match &content.asset.contract {
        Some(contract) => line!(page, "asset        {} {}", content.asset.symbol, grouped(contract)),
        None => line!(page, "asset        {} (native coin)", content.asset.symbol),
    }
    line!(page, "made by      {}", content.creator);
    let left = content.expires_at.saturating_sub(now);
    line!(page, "expires at   {} (in {} min {} s)", utc(content.expires_at), left / 60, left % 60);
    line!(page, "policy       {} version {}", content.policy.name, content.policy.version);
    line!(page, "digest       {digest}");
}

fn sums(page: &mut String, content: &Content) {
    let people: BTreeSet<_> = content.items.iter().map(|item| item.destination).collect();
    line!(page, "items        {} to {}", content.items.len(), counted(people.len(), "recipient"));
    if let Ok(totals) = content.totals() {
        line!(page, "TOTAL        {}", amount(content, totals.amount));
    }
    if let Some(largest) = content.items.iter().max_by_key(|item| item.amount) {
        line!(page, "largest      {} to {}", amount(content, largest.amount), grouped(&largest.destination));
    }
}

fn cost(page: &mut String, content: &Content) {
    // TRON's fee limit bounds energy; what a node charges for bytes and memos comes on top.
    let (native, coin) = match content.network.family() {
        Family::Tron => (6, "TRX for energy; bandwidth and memos on top"),
        Family::Evm => (18, "native coin"),
    };
    let coins = |base: u128| BaseUnits::from(base).to_decimal(native);
    let each = content.fee_cap_per_item();
    let all = each.checked_mul(content.items.len() as u128).map_or("?".to_owned(), coins);
    line!(page, "fees         at most {} a transaction, {all} in all ({coin})", coins(each));
    match &content.context {
        Context::Tron(tron) => {
            let dead = utc(tron.expiration_ms / 1_000);
            line!(page, "expiration   {dead} on the chain, permission {}", tron.permission_id);
        }
        Context::Evm(evm) => {
            let levels: Vec<_> = evm.levels.iter().map(|level| gwei(level.max_fee_per_gas_wei)).collect();
            let cancel = if evm.cancel.is_some() { ", and a cancel at each nonce" } else { "" };
            line!(
                page,
                "fee levels   {} gwei per gas, gas limit {}{cancel}",
                levels.join(", "),
                evm.gas_limit
            );
        }
    }
}

fn item_lines(page: &mut String, content: &Content, number: usize, item: &Item) {
    line!(page, "{:>5}  {:>24}  {}", number, amount(content, item.amount), grouped(&item.destination));
    let mut more = vec![format!("id {}", item.id)];
    more.extend(item.account_nonce.map(|nonce| format!("account nonce {nonce}")));
    more.extend(item.source.as_ref().map(|wallet| format!("from {}", shown_wallet(wallet))));
    more.extend(item.own.map(|(role, index)| format!("own {} wallet {index}", role.name())));
    if !item.memo.is_empty() {
        more.push(format!("memo (public) {}", escaped(&String::from_utf8_lossy(&item.memo))));
    }
    if !item.label.is_empty() {
        more.push(format!("label {}", escaped(&item.label)));
    }
    if let Some(reissue) = &item.reissue {
        more.push(format!("SIGNED AGAIN: {}", reissue.reason));
    }
    line!(page, "       {}", more.join("; "));
}

/// What a batch is about on one line, for the place where the words are typed.
pub fn recap(content: &Content) -> String {
    let total = content.totals().map_or("?".to_owned(), |totals| amount(content, totals.amount));
    let items = counted(content.items.len(), "item");
    format!("{} on {}: {items}, TOTAL {total}", content.kind, content.network)
}

/// "1 item", "2 items", "3 batches".
pub fn counted(count: usize, one: &str) -> String {
    let plural = match count {
        1 => "",
        _ if one.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{count} {one}{plural}")
}

/// What people compare of an address: its first four characters (after `0x`) and its last four, in one
/// case. Two addresses of equal ends are made in minutes.
pub fn ends(address: &Address) -> (String, String) {
    let text = address.to_string().to_ascii_lowercase();
    let rest = text.strip_prefix("0x").unwrap_or(&text);
    let (head, tail) = (rest.get(..4), rest.get(rest.len().saturating_sub(4)..));
    (head.unwrap_or(rest).to_owned(), tail.unwrap_or(rest).to_owned())
}

fn gwei(wei: u64) -> String {
    BaseUnits::from(wei).to_decimal(9)
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

/// What deserves a second look.
fn warnings(content: &Content) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut payments: BTreeMap<(Address, BaseUnits), usize> = BTreeMap::new();
    for item in &content.items {
        *payments.entry((item.destination, item.amount)).or_default() += 1;
    }
    for ((destination, sum), count) in payments.into_iter().filter(|(_, count)| *count > 1) {
        let sum = amount(content, sum);
        warnings.push(format!("{count} payments of {sum} to {}", grouped(&destination)));
    }
    let destinations: BTreeSet<_> = content.items.iter().map(|item| item.destination).collect();
    let mut seen: BTreeMap<_, Address> = BTreeMap::new();
    for address in destinations {
        if let Some(other) = seen.insert(ends(&address), address) {
            let (one, other) = (grouped(&address), grouped(&other));
            warnings.push(format!("two different addresses look alike: {other} and {one}"));
        }
    }
    if content.items.iter().any(|item| !item.label.is_ascii()) {
        warnings.push("a label holds letters outside ASCII, shown escaped".to_owned());
    }
    warnings
}

fn amount(content: &Content, base: BaseUnits) -> String {
    format!("{} {}", base.to_decimal(content.asset.decimals), content.asset.symbol)
}

fn shown_wallet(wallet: &Wallet) -> String {
    format!("{} wallet {}  {}", wallet.role.name(), wallet.index, grouped(&wallet.address))
}

/// An address in groups of four characters, `0x` apart.
pub fn grouped(address: &Address) -> String {
    let text = address.to_string();
    let (prefix, rest) = text.strip_prefix("0x").map_or(("", text.as_str()), |rest| ("0x ", rest));
    let groups: Vec<_> =
        rest.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    prefix.to_owned() + &groups.join(" ")
}

/// Foreign text on one line: everything but printable ASCII as an escape.
pub fn escaped(text: &str) -> String {
    let plain = |c: char| (c.is_ascii_graphic() || c == ' ') && c != '\\';
    let quoted = text.chars().map(|c| if plain(c) { c.to_string() } else { c.escape_unicode().to_string() });
    format!("\"{}\"", quoted.collect::<String>())
}

/// A policy, for the custodians who sign it.
pub fn policy(policy: &Policy) -> String {
    let mut page = String::new();
    let digest = policy.digest();
    line!(page, "policy       {} version {} ({})", policy.name, policy.version, policy.profile.name());
    line!(page, "digest       {digest}");
    let quorum = &policy.approvals;
    line!(page, "approvals    {} people, {} on independent devices", quorum.required, quorum.independent);
    for approver in &policy.approvers {
        line!(page, "  approver   {}  {}", approver.person, approver.device);
    }
    let bounds = &policy.bounds;
    line!(
        page,
        "bounds       {} items a batch, {} batches a bundle, {} s lifetime, {} s of clock difference",
        bounds.items_max,
        bounds.bundle_max,
        bounds.lifetime_max_seconds,
        bounds.clock_ahead_max_seconds
    );
    for network in &policy.networks {
        network_policy(&mut page, network);
    }
    page + &eight_words(&digest)
}

fn network_policy(page: &mut String, network: &NetworkPolicy) {
    let kinds: Vec<_> = network.kinds.iter().map(|kind| kind.word()).collect();
    line!(page, "network      {}: {}", network.network, kinds.join(", "));
    for wallet in &network.wallets {
        line!(page, "  pays       {}", shown_wallet(wallet));
    }
    for one in &network.assets {
        let shown = |base: BaseUnits| base.to_decimal(one.asset.decimals);
        let contract = one.asset.contract.as_ref().map_or("native coin".to_owned(), grouped);
        line!(page, "  asset      {} {contract}", one.asset.symbol);
        line!(
            page,
            "             at most {} an item, {} a batch, {} in 24 hours",
            shown(one.per_item_max),
            shown(one.per_batch_max),
            shown(one.per_day_max)
        );
    }
    match network.fees {
        FeeCaps::Tron { fee_limit_sun_max } => {
            let trx = BaseUnits::from(fee_limit_sun_max).to_decimal(6);
            line!(page, "  fees       at most {trx} TRX a transaction");
        }
        FeeCaps::Evm { gas_limit_max, max_fee_per_gas_wei_max, max_priority_fee_per_gas_wei_max } => line!(
            page,
            "  fees       gas {gas_limit_max}, {} gwei per gas, tip {} gwei",
            gwei(max_fee_per_gas_wei_max),
            gwei(max_priority_fee_per_gas_wei_max)
        ),
    }
    line!(page, "  withdrawals to {} addresses", network.withdrawals_to);
    for entry in &network.destinations {
        for address in &entry.addresses {
            line!(page, "  {} to {}", entry.kind, grouped(address));
        }
    }
    for address in &network.denied {
        line!(page, "  never to   {}", grouped(address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use airlock_shared::Network;

    #[test]
    fn foreign_text_cannot_move_the_cursor_or_turn_the_line_around() {
        assert_eq!(escaped("pay \u{1b}[2J\u{202e}x\n\\"), "\"pay \\u{1b}[2J\\u{202e}x\\u{a}\\u{5c}\"");
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
}
