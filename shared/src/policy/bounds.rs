//! Bounds that hold whatever a batch pays: sizes, times, gaps, the machine, and the hours of signing.
//!
//! Part of the policy file; `rules/` holds each against a batch, the session holds those of the machine.
//! What must stay true: nothing here has a default, and a window that is not listed is closed.

use crate::form::{Form, FormError, Reader, Writer, closed_list};

/// Bounds that hold for every batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Most items in one batch.
    pub items_max: u64,
    /// Most batches in one bundle.
    pub bundle_max: u64,
    /// Longest time between creation and expiry, seconds.
    pub lifetime_max_seconds: u64,
    /// How far a batch's creation may be ahead of the signer's clock, seconds.
    pub clock_ahead_max_seconds: u64,
    /// How far the signer's clock may be ahead of the journal's newest entry, seconds.
    pub clock_jump_max_seconds: u64,
    /// How far an item id never seen before may be below the highest signed one of its epoch.
    pub item_behind_max: u64,
    /// How far it may be above the next lower one, signed before or in the same batch.
    pub item_ahead_max: u64,
    /// How many account nonces may be left out above the highest signed one of an account.
    pub nonce_ahead_max: u64,
}

/// What may be signed on a machine that is not as it should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Machine {
    /// With a network interface up, other than loopback.
    pub network_interfaces: Allowance,
    /// Where the kernel enforces a part of the sandbox only.
    pub partial_sandbox: Allowance,
}

closed_list! {
    /// Whether something may be.
    Allowance {
        /// It may not.
        Refused = 0 "refused",
        /// It may.
        Allowed = 1 "allowed",
    }
}

/// Minutes in a day.
const DAY_MINUTES: u64 = 1_440;

/// Hours of one weekday in which signing is allowed, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Window {
    /// 0 is Monday, 6 is Sunday.
    pub day: u8,
    /// First minute of the day, 0 to 1439.
    pub from_minute: u64,
    /// First minute after it, at most 1440.
    pub to_minute: u64,
}

impl Window {
    /// Every minute of every day.
    pub const ALWAYS: [Self; 7] = {
        let mut all = [Self { day: 0, from_minute: 0, to_minute: DAY_MINUTES }; 7];
        let mut day = 0;
        while day < 7 {
            all[day as usize].day = day;
            day += 1;
        }
        all
    };

    /// Is `time` (UTC seconds) inside? The Unix epoch began on a Thursday.
    pub const fn holds(&self, time: u64) -> bool {
        let (day, minute) = weekday_and_minute(time);
        day == self.day && self.from_minute <= minute && minute < self.to_minute
    }
}

/// The weekday (0 is Monday) and the minute of the day of a time in UTC seconds.
pub const fn weekday_and_minute(time: u64) -> (u8, u64) {
    let day = (time / 86_400 + 3) % 7;
    (day as u8, time % 86_400 / 60)
}

impl Form for Bounds {
    fn write(&self, to: &mut Writer) {
        to.uint(0, "items_max", self.items_max);
        to.uint(1, "bundle_max", self.bundle_max);
        to.uint(2, "lifetime_max_seconds", self.lifetime_max_seconds);
        to.uint(3, "clock_ahead_max_seconds", self.clock_ahead_max_seconds);
        to.uint(4, "clock_jump_max_seconds", self.clock_jump_max_seconds);
        to.uint(5, "item_behind_max", self.item_behind_max);
        to.uint(6, "item_ahead_max", self.item_ahead_max);
        to.uint(7, "nonce_ahead_max", self.nonce_ahead_max);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            items_max: from.uint(0, "items_max")?,
            bundle_max: from.uint(1, "bundle_max")?,
            lifetime_max_seconds: from.uint(2, "lifetime_max_seconds")?,
            clock_ahead_max_seconds: from.uint(3, "clock_ahead_max_seconds")?,
            clock_jump_max_seconds: from.uint(4, "clock_jump_max_seconds")?,
            item_behind_max: from.uint(5, "item_behind_max")?,
            item_ahead_max: from.uint(6, "item_ahead_max")?,
            nonce_ahead_max: from.uint(7, "nonce_ahead_max")?,
        })
    }
}

impl Form for Machine {
    fn write(&self, to: &mut Writer) {
        let Self { network_interfaces, partial_sandbox } = self;
        to.choice(0, "network_interfaces", *network_interfaces);
        to.choice(1, "partial_sandbox", *partial_sandbox);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            network_interfaces: from.choice(0, "network_interfaces")?,
            partial_sandbox: from.choice(1, "partial_sandbox")?,
        })
    }
}

impl Form for Window {
    fn write(&self, to: &mut Writer) {
        to.uint(0, "day", u64::from(self.day));
        to.uint(1, "from_minute", self.from_minute);
        to.uint(2, "to_minute", self.to_minute);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let day = from.byte(0, "day")?;
        let (from_minute, to_minute) = (from.uint(1, "from_minute")?, from.uint(2, "to_minute")?);
        if day > 6 {
            return Err(from.refused("day", "is 0 (Monday) to 6 (Sunday)"));
        }
        if !(from_minute < to_minute && to_minute <= DAY_MINUTES) {
            return Err(from.refused("to_minute", "is after from_minute and at most 1440"));
        }
        Ok(Self { day, from_minute, to_minute })
    }
}
