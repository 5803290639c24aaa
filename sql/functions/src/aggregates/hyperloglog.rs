//! The distinct-count sketch behind COUNT_DISTINCT: HyperLogLog of 2^14 registers over 32-bit
//! MurmurHash2 hashes, estimating what ksqlDB's does.
//!
//! ```text
//!   hash  ┌─ 14 bits: register ─┬─ 18 bits: position of the first 1 ─┐   register = max(position)
//! ```
//!
//! A sketch with few registers set is kept (and stored) as a sorted list of them.

/// Bits of a hash that choose the register.
const INDEX_BITS: u32 = 14;
/// Number of registers.
const REGISTERS: usize = 1 << INDEX_BITS;
/// A list longer than this takes more bytes than all registers.
const MAX_LISTED: usize = REGISTERS / 3;

/// A sketch of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sketch {
    /// Registers that are not 0, by index.
    Sparse(Vec<(u16, u8)>),
    /// All registers.
    Dense(Box<[u8]>),
}

impl Default for Sketch {
    fn default() -> Self {
        Self::Sparse(Vec::new())
    }
}

impl Sketch {
    /// Adds an element by its hash.
    pub(super) fn add(&mut self, hash: u32) {
        let index = (hash >> (32 - INDEX_BITS)) as u16;
        // The guard bits bound the position where all 18 bits are 0. ksqlDB's guard is 2^13 + 1.
        let rest = (hash << INDEX_BITS) | ((1 << (INDEX_BITS - 1)) + 1);
        self.raise(index, rest.leading_zeros() as u8 + 1);
    }

    fn raise(&mut self, index: u16, value: u8) {
        match self {
            Self::Dense(registers) => {
                let register = &mut registers[usize::from(index) % REGISTERS];
                *register = (*register).max(value);
            }
            Self::Sparse(listed) => match listed.binary_search_by_key(&index, |entry| entry.0) {
                Ok(found) => listed[found].1 = listed[found].1.max(value),
                Err(at) => {
                    listed.insert(at, (index, value));
                    if listed.len() > MAX_LISTED {
                        let mut registers = vec![0; REGISTERS].into_boxed_slice();
                        for (index, value) in listed.iter() {
                            registers[usize::from(*index) % REGISTERS] = *value;
                        }
                        *self = Self::Dense(registers);
                    }
                }
            },
        }
    }

    /// Adds all elements of `other`.
    pub(super) fn merge(&mut self, other: &Self) {
        match other {
            Self::Sparse(listed) => {
                for (index, value) in listed {
                    self.raise(*index, *value);
                }
            }
            Self::Dense(registers) => {
                for (index, value) in registers.iter().enumerate().filter(|(_, v)| **v > 0) {
                    self.raise(index as u16, *value);
                }
            }
        }
    }

    /// The estimated number of distinct elements.
    pub(super) fn estimate(&self) -> i64 {
        let registers = REGISTERS as f64;
        let (sum, set) = match self {
            Self::Sparse(listed) => {
                let unset = (REGISTERS - listed.len()) as f64;
                let sum = listed
                    .iter()
                    .map(|(_, value)| exp2_minus(*value))
                    .sum::<f64>();
                (unset + sum, listed.len())
            }
            Self::Dense(all) => (
                all.iter().map(|value| exp2_minus(*value)).sum(),
                all.iter().filter(|value| **value > 0).count(),
            ),
        };
        let alpha = 0.7213 / (1.0 + 1.079 / registers);
        let raw = alpha * registers * registers / sum;
        let estimate = if raw <= 2.5 * registers {
            // Linear counting.
            registers * (registers / (REGISTERS - set) as f64).ln()
        } else {
            raw
        };
        // Java's Math.round.
        (estimate + 0.5).floor() as i64
    }

    /// Bytes that [`Sketch::read`] reads back: 3 for each listed register, or all registers.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Sparse(listed) => {
                for (index, value) in listed {
                    out.extend_from_slice(&index.to_be_bytes());
                    out.push(*value);
                }
            }
            Self::Dense(registers) => out.extend_from_slice(registers),
        }
    }

    /// A sketch from its bytes.
    pub(super) fn read(bytes: &[u8]) -> Self {
        if bytes.len() == REGISTERS {
            return Self::Dense(bytes.into());
        }
        let listed = bytes
            .chunks_exact(3)
            .map(|c| (u16::from_be_bytes([c[0], c[1]]), c[2]));
        Self::Sparse(listed.collect())
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        match self {
            Self::Sparse(listed) => listed.capacity() * size_of::<(u16, u8)>(),
            Self::Dense(registers) => registers.len(),
        }
    }
}

fn exp2_minus(value: u8) -> f64 {
    1.0 / f64::from(1u32 << value.min(31))
}

const MULTIPLIER: u32 = 0x5bd1_e995;

fn finish(mut hash: u32) -> u32 {
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

fn scramble(word: u32) -> u32 {
    let word = word.wrapping_mul(MULTIPLIER);
    (word ^ (word >> 24)).wrapping_mul(MULTIPLIER)
}

/// The hash of bytes: MurmurHash2 with seed -1; like ksqlDB's library it takes the odd bytes at
/// the end as signed and in falling significance from the first.
pub(super) fn hash_bytes(bytes: &[u8]) -> u32 {
    let mut hash = u32::MAX ^ bytes.len() as u32;
    let words = bytes.chunks_exact(4);
    let rest = words.remainder();
    for word in words {
        let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        hash = hash.wrapping_mul(MULTIPLIER) ^ scramble(word);
    }
    if !rest.is_empty() {
        for (byte, shift) in rest.iter().rev().zip([0, 8, 16]) {
            hash ^= (i32::from(*byte as i8) as u32) << shift;
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    finish(hash)
}

/// The hash of a number of 64 bits.
pub(super) fn hash_long(value: i64) -> u32 {
    let low = scramble(value as u32);
    let high = scramble((value >> 32) as u32);
    finish(low.wrapping_mul(MULTIPLIER) ^ high)
}
