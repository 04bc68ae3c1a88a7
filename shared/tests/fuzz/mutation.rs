//! Bytes that are almost right: good documents with something altered, in their bytes or in their structure.
//!
//! Used by the fuzz tests of `shared` and of the signer. Everything comes from one seed, so that a failure can
//! be repeated. What must stay true: nothing here knows what a decoder looks for.

/// A small generator of numbers (SplitMix64, Steele and others 2014): fast, and the same in every run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`; 0 where that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Integers at which programs break.
const EDGES: [u64; 14] =
    [0, 1, 23, 24, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 40, 1 << 62, u64::MAX];

/// Noise of up to 512 bytes, or an alteration of one of `good`: of its structure where it has one that is known.
pub fn mutant(random: &mut Random, good: &[Vec<u8>]) -> Vec<u8> {
    if good.is_empty() || random.below(24) == 0 {
        let length = random.below(512);
        return (0..length).map(|_| random.next() as u8).collect();
    }
    let seed = random.pick(good).clone();
    let mut bytes = match random.below(3) {
        0 => structured(random, &seed).unwrap_or(seed),
        _ => seed,
    };
    for _ in 0..random.below(4) + 1 {
        alter(random, &mut bytes, good);
    }
    bytes
}

/// One alteration of bytes.
fn alter(random: &mut Random, bytes: &mut Vec<u8>, good: &[Vec<u8>]) {
    let (from, to) = range(random, bytes.len());
    match random.below(9) {
        0 if !bytes.is_empty() => {
            let place = random.below(bytes.len());
            bytes[place] ^= 1 << random.below(8);
        }
        1 if !bytes.is_empty() => {
            let place = random.below(bytes.len());
            bytes[place] = random.next() as u8;
        }
        2 => drop(bytes.drain(from..to)),
        3 => {
            let copy = bytes[from..to].to_vec();
            bytes.splice(from..from, copy);
        }
        4 => bytes.truncate(from),
        5 => {
            let other = random.pick(good);
            let (a, b) = range(random, other.len());
            bytes.splice(from..to, other[a..b].iter().copied());
        }
        6 => {
            let edge = random.pick(&EDGES).to_be_bytes();
            let width = *random.pick(&[1, 2, 4, 8]);
            let mut edge = edge[8 - width..].to_vec();
            if random.below(2) == 0 {
                edge.reverse();
            }
            overwrite(bytes, from, &edge);
        }
        7 => {
            // A head of CBOR that claims more than there is.
            let head = *random.pick(&[0x5b, 0x7b, 0x9b, 0xbb, 0x1b, 0xdb]);
            let mut claim = vec![head];
            claim.extend(random.pick(&EDGES).to_be_bytes());
            overwrite(bytes, from, &claim);
        }
        _ => {
            let filler =
                vec![*random.pick(&[0, 0xff, b'[', b'{', b'"', b'9', 0x81, 0xa1]); random.below(300)];
            bytes.splice(from..from, filler);
        }
    }
}

fn range(random: &mut Random, length: usize) -> (usize, usize) {
    let from = random.below(length + 1);
    (from, from + random.below((length - from).min(64) + 1))
}

fn overwrite(bytes: &mut Vec<u8>, place: usize, with: &[u8]) {
    let end = (place + with.len()).min(bytes.len());
    bytes.splice(place..end, with.iter().copied());
}

/// A structure altered somewhere inside: JSON, CBOR behind a document's head, or bare CBOR.
fn structured(random: &mut Random, seed: &[u8]) -> Option<Vec<u8>> {
    if let Ok(mut tree) = serde_json::from_slice::<serde_json::Value>(seed) {
        alter_json(random, &mut tree, 0);
        return Some((serde_json::to_string_pretty(&tree).ok()? + "\n").into_bytes());
    }
    let head = if seed.starts_with(b"AIRL") { 6.min(seed.len()) } else { 0 };
    let mut rest = &seed[head..];
    let mut tree = Tree::read(&mut rest, 0).filter(|_| rest.is_empty())?;
    alter_tree(random, &mut tree, 0);
    let mut bytes = seed[..head].to_vec();
    tree.write(&mut bytes);
    Some(bytes)
}

fn alter_json(random: &mut Random, tree: &mut serde_json::Value, depth: usize) {
    use serde_json::Value;
    let deeper = depth < 8 && random.below(5) != 0;
    match tree {
        Value::Array(list) if !list.is_empty() => {
            let place = random.below(list.len());
            match (deeper, random.below(3)) {
                (true, _) => alter_json(random, &mut list[place], depth + 1),
                (false, 0) => drop(list.remove(place)),
                (false, 1) => list.insert(place, list[place].clone()),
                (false, _) => list.reverse(),
            }
        }
        Value::Object(map) if !map.is_empty() => {
            let names: Vec<String> = map.keys().cloned().collect();
            let name = random.pick(&names);
            if deeper {
                alter_json(random, &mut map[name], depth + 1);
            } else if random.below(2) == 0 {
                map.remove(name);
            } else {
                let value = map.remove(name).unwrap_or(Value::Null);
                map.insert(random.pick(&names).clone(), value);
            }
        }
        Value::String(text) => {
            *tree = match random.below(5) {
                0 => Value::from(random.pick(&EDGES).to_string()),
                1 => Value::from(text.repeat(2)),
                2 => Value::from(format!("\u{202e}{text}\u{0}")),
                3 => Value::from(text.chars().rev().collect::<String>()),
                _ => Value::Null,
            }
        }
        _ => *tree = Value::from(*random.pick(&EDGES)),
    }
}

/// As much of CBOR as documents use.
enum Tree {
    Uint(u64),
    Bytes(Vec<u8>),
    Text(Vec<u8>),
    List(Vec<Tree>),
    Map(Vec<(Tree, Tree)>),
    Other(u8),
}

impl Tree {
    fn read(from: &mut &[u8], depth: usize) -> Option<Self> {
        let (head, rest) = from.split_first()?;
        *from = rest;
        let argument = match head & 0x1f {
            small @ 0..24 => u64::from(small),
            wide @ 24..28 => {
                let width = 1 << (wide - 24);
                let (bytes, rest) = from.split_at_checked(width)?;
                *from = rest;
                bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
            }
            _ => return None,
        };
        let length = usize::try_from(argument)
            .ok()
            .filter(|length| *length <= from.len() || head >> 5 == 0 || head >> 5 == 7);
        match (head >> 5, depth < 16) {
            (0, _) => Some(Self::Uint(argument)),
            (2 | 3, _) => {
                let (bytes, rest) = from.split_at_checked(length?)?;
                *from = rest;
                let bytes = bytes.to_vec();
                Some(if head >> 5 == 2 { Self::Bytes(bytes) } else { Self::Text(bytes) })
            }
            (4, true) => {
                (0..length?).map(|_| Self::read(from, depth + 1)).collect::<Option<_>>().map(Self::List)
            }
            (5, true) => (0..length?)
                .map(|_| Some((Self::read(from, depth + 1)?, Self::read(from, depth + 1)?)))
                .collect::<Option<_>>()
                .map(Self::Map),
            (7, _) => Some(Self::Other(*head)),
            _ => None,
        }
    }

    fn write(&self, to: &mut Vec<u8>) {
        let mut head = |major: u8, argument: u64| match argument {
            0..24 => to.push(major << 5 | argument as u8),
            24..0x100 => to.extend([major << 5 | 24, argument as u8]),
            0x100..0x1_0000 => {
                to.push(major << 5 | 25);
                to.extend((argument as u16).to_be_bytes());
            }
            0x1_0000..0x1_0000_0000 => {
                to.push(major << 5 | 26);
                to.extend((argument as u32).to_be_bytes());
            }
            _ => {
                to.push(major << 5 | 27);
                to.extend(argument.to_be_bytes());
            }
        };
        match self {
            Self::Uint(number) => head(0, *number),
            Self::Other(byte) => to.push(*byte),
            Self::Bytes(bytes) => {
                head(2, bytes.len() as u64);
                to.extend(bytes);
            }
            Self::Text(bytes) => {
                head(3, bytes.len() as u64);
                to.extend(bytes);
            }
            Self::List(list) => {
                head(4, list.len() as u64);
                list.iter().for_each(|one| one.write(to));
            }
            Self::Map(map) => {
                head(5, map.len() as u64);
                for (key, value) in map {
                    key.write(to);
                    value.write(to);
                }
            }
        }
    }
}

fn alter_tree(random: &mut Random, tree: &mut Tree, depth: usize) {
    let deeper = depth < 12 && random.below(5) != 0;
    match tree {
        Tree::List(list) if !list.is_empty() => {
            let place = random.below(list.len());
            match (deeper, random.below(3)) {
                (true, _) => alter_tree(random, &mut list[place], depth + 1),
                (false, 0) => drop(list.remove(place)),
                (false, 1) => list.push(Tree::Uint(*random.pick(&EDGES))),
                (false, _) => list.reverse(),
            }
        }
        Tree::Map(map) if !map.is_empty() => {
            let place = random.below(map.len());
            match (deeper, random.below(3)) {
                (true, _) => alter_tree(random, &mut map[place].1, depth + 1),
                (false, 0) => drop(map.remove(place)),
                (false, 1) => map[place].0 = Tree::Uint(*random.pick(&EDGES)),
                (false, _) => map.reverse(),
            }
        }
        Tree::Bytes(bytes) | Tree::Text(bytes) => match random.below(4) {
            0 => drop(bytes.pop()),
            1 => bytes.push(random.next() as u8),
            2 => *bytes = vec![random.next() as u8; *random.pick(&[0, 20, 32, 33, 64, 65, 300])],
            _ => bytes.iter_mut().for_each(|byte| *byte = random.next() as u8),
        },
        Tree::Uint(_) => *tree = Tree::Uint(*random.pick(&EDGES)),
        _ => *tree = Tree::List(vec![Tree::Uint(1), Tree::Text(b"x".to_vec())]),
    }
}
