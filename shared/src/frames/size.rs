//! How large one QR code may be, and how much of a transfer fits into it.
//!
//! The encoder takes a [`FrameSize`] from its caller; the decoder never needs one. Capacities follow
//! from the table of ISO/IEC 18004 (data bits by version and level), and a test compares it with the
//! QR crate. No headroom is kept back: a frame is always drawn as one alphanumeric segment, so the
//! capacity is exact.

use super::{FRAME_OVERHEAD_BYTES, FrameError};

/// How much of a QR code is spent on correcting errors, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// About 7 % of the codewords may be unreadable.
    L,
    /// About 15 %.
    M,
    /// About 25 %.
    Q,
    /// About 30 %.
    H,
}

/// The largest QR code that a transfer may use: a version and an error correction level. Its default,
/// version 20 at level L, is what cameras read reliably at four pixels a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameSize {
    version: u8,
    level: Level,
}

/// A frame must have room for at least this many symbol bytes, or the overhead eats the screen.
const ROOM_MIN_BYTES: usize = 64;

impl FrameSize {
    /// `version` is 1 to 40, and the code must have room for a frame worth showing.
    pub const fn new(version: u8, level: Level) -> Result<Self, FrameError> {
        if version < 1 || version > 40 {
            return Err(FrameError::QrVersion { found: version });
        }
        let size = Self { version, level };
        if size.bytes() < FRAME_OVERHEAD_BYTES + ROOM_MIN_BYTES {
            return Err(FrameError::QrTooSmall {
                room: size.bytes(),
                needed: FRAME_OVERHEAD_BYTES + ROOM_MIN_BYTES,
            });
        }
        Ok(size)
    }

    /// The QR version, 1 to 40.
    pub const fn version(self) -> u8 {
        self.version
    }

    /// The error correction level.
    pub const fn level(self) -> Level {
        self.level
    }

    /// Modules per side, without the quiet zone.
    pub const fn modules(self) -> usize {
        17 + 4 * self.version as usize
    }

    /// How many characters of the QR alphanumeric alphabet fit.
    pub const fn characters(self) -> usize {
        let count_bits = match self.version {
            ..=9 => 9,
            10..=26 => 11,
            _ => 13,
        };
        let bits = self.data_bits() - 4 - count_bits;
        bits / 11 * 2 + if bits % 11 >= 6 { 1 } else { 0 }
    }

    /// How many bytes those characters carry in base45 (three characters for two bytes, two for one).
    pub const fn bytes(self) -> usize {
        let characters = self.characters();
        characters / 3 * 2 + if characters % 3 == 2 { 1 } else { 0 }
    }

    /// How many symbol bytes fit beside the frame's own header and checksum.
    pub const fn symbol_bytes(self) -> usize {
        self.bytes() - FRAME_OVERHEAD_BYTES
    }

    /// The data bytes of the bare code, which is the limit no framing can beat.
    pub const fn raw_bytes(self) -> usize {
        self.data_bits() / 8
    }

    /// The smallest code of this level that holds `characters`, but never a larger one than this.
    pub fn fitting(self, characters: usize) -> Option<Self> {
        (1..=self.version)
            .map(|version| Self { version, level: self.level })
            .find(|size| size.characters() >= characters)
    }

    const fn data_bits(self) -> usize {
        let [l, m, q, h] = DATA_BITS[self.version as usize - 1];
        match self.level {
            Level::L => l as usize,
            Level::M => m as usize,
            Level::Q => q as usize,
            Level::H => h as usize,
        }
    }
}

impl Default for FrameSize {
    fn default() -> Self {
        Self { version: 20, level: Level::L }
    }
}

/// Data bits by version (1 to 40) and level (L, M, Q, H); ISO/IEC 18004:2015, table 7.
const DATA_BITS: [[u16; 4]; 40] = [
    [152, 128, 104, 72],
    [272, 224, 176, 128],
    [440, 352, 272, 208],
    [640, 512, 384, 288],
    [864, 688, 496, 368],
    [1088, 864, 608, 480],
    [1248, 992, 704, 528],
    [1552, 1232, 880, 688],
    [1856, 1456, 1056, 800],
    [2192, 1728, 1232, 976],
    [2592, 2032, 1440, 1120],
    [2960, 2320, 1648, 1264],
    [3424, 2672, 1952, 1440],
    [3688, 2920, 2088, 1576],
    [4184, 3320, 2360, 1784],
    [4712, 3624, 2600, 2024],
    [5176, 4056, 2936, 2264],
    [5768, 4504, 3176, 2504],
    [6360, 5016, 3560, 2728],
    [6888, 5352, 3880, 3080],
    [7456, 5712, 4096, 3248],
    [8048, 6256, 4544, 3536],
    [8752, 6880, 4912, 3712],
    [9392, 7312, 5312, 4112],
    [10208, 8000, 5744, 4304],
    [10960, 8496, 6032, 4768],
    [11744, 9024, 6464, 5024],
    [12248, 9544, 6968, 5288],
    [13048, 10136, 7288, 5608],
    [13880, 10984, 7880, 5960],
    [14744, 11640, 8264, 6344],
    [15640, 12328, 8920, 6760],
    [16568, 13048, 9368, 7208],
    [17528, 13800, 9848, 7688],
    [18448, 14496, 10288, 7888],
    [19472, 15312, 10832, 8432],
    [20528, 15936, 11408, 8768],
    [21616, 16816, 12016, 9136],
    [22496, 17728, 12656, 9776],
    [23648, 18672, 13328, 10208],
];

#[cfg(test)]
mod tests {
    use super::*;
    use qrcode::{EcLevel, Version, bits::Bits};

    #[test]
    fn capacities_are_those_of_the_standard() {
        let characters = |version, level| FrameSize { version, level }.characters();
        assert_eq!(characters(1, Level::L), 25);
        assert_eq!(characters(10, Level::M), 311);
        assert_eq!(characters(20, Level::L), 1249);
        assert_eq!(characters(25, Level::L), 1853);
        assert_eq!(characters(27, Level::H), 910);
        assert_eq!(characters(40, Level::L), 4296);
    }

    #[test]
    fn the_table_equals_the_one_of_the_qr_crate() {
        for version in 1..=40u8 {
            for (level, ec) in [
                (Level::L, EcLevel::L),
                (Level::M, EcLevel::M),
                (Level::Q, EcLevel::Q),
                (Level::H, EcLevel::H),
            ] {
                let theirs = Bits::new(Version::Normal(version.into())).max_len(ec).unwrap();
                assert_eq!(FrameSize { version, level }.data_bits(), theirs, "version {version} {level:?}");
            }
        }
    }

    #[test]
    fn a_code_without_room_is_refused() {
        assert!(matches!(FrameSize::new(2, Level::L), Err(FrameError::QrTooSmall { .. })));
        assert_eq!(FrameSize::new(0, Level::L), Err(FrameError::QrVersion { found: 0 }));
        assert_eq!(FrameSize::new(41, Level::L), Err(FrameError::QrVersion { found: 41 }));
    }
}
