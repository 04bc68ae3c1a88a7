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
    line!(page, "expires at   {} (in {} min {} s)", content.expires_at, left / 60, left % 60);
    line!(page, "policy       {} version {}", content.policy.name, content.policy.version);
    line!(page, "digest       {digest}");
}

fn sums(page: &mut String, content: &Content) {
    let people: BTreeSet<_> = content.items.iter().map(|item| item.destination).collect();
    line!(page, "items        {} to {} recipients", content.items.len(), people.len());
    if let Ok(totals) = content.totals() {
        line!(page, "TOTAL        {}", amount(content, totals.amount));
    }
    if let Some(largest) = content.items.iter().max_by_key(|item| item.amount) {
        line!(page, "largest      {} to {}", amount(content, largest.amount), grouped(&largest.destination));
    }
}

fn cost(page: &mut String, content: &Content) {
    let native = if content.network.family() == Family::Tron { 6 } else { 18 };
    let coins = |base: u128| BaseUnits::from(base).to_decimal(native);
    let each = content.fee_cap_per_item();
    let all = each.checked_mul(content.items.len() as u128).map_or("?".to_owned(), coins);
    line!(page, "fees at most {} a transaction, {all} in all (native coin)", coins(each));
    match &content.context {
        Context::Tron(tron) => {
            line!(page, "expiration   {} ms, permission {}", tron.expiration_ms, tron.permission_id);
        }
        Context::Evm(evm) => {
            let levels: Vec<_> =
                evm.levels.iter().map(|level| level.max_fee_per_gas_wei.to_string()).collect();
            let cancel = if evm.cancel.is_some() { ", and a cancel at each nonce" } else { "" };
            line!(
                page,
                "fee levels   {} wei per gas, gas limit {}{cancel}",
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
    let destinations: BTreeSet<_> = content.items.iter().map(|item| item.destination.to_string()).collect();
    let mut ends: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for text in &destinations {
        // The first four characters after `T` or `0x`, and the last four: what people compare.
        let ends_of = (text.get(..6).unwrap_or(text), text.get(text.len() - 4..).unwrap_or(text));
        if let Some(other) = ends.insert(ends_of, text) {
            warnings.push(format!("two different addresses look alike: {other} and {text}"));
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
        FeeCaps::Tron { fee_limit_sun_max } => line!(page, "  fees       at most {fee_limit_sun_max} sun"),
        FeeCaps::Evm { gas_limit_max, max_fee_per_gas_wei_max, max_priority_fee_per_gas_wei_max } => line!(
            page,
            "  fees       gas {gas_limit_max}, {max_fee_per_gas_wei_max} wei per gas, tip {max_priority_fee_per_gas_wei_max}"
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
    fn addresses_are_shown_whole_in_groups_of_four() {
        let address = Address::new(Network::ETHEREUM, [0xab; 20]);
        let shown = grouped(&address);
        assert_eq!(shown.replace(' ', ""), address.to_string());
        assert!(shown.starts_with("0x "));
        let tron = Address::new(Network::TRON, [1; 20]);
        assert_eq!(grouped(&tron).replace(' ', ""), tron.to_string());
    }
}
