//! The digits that Java 17 prints of a double. Its search for short digits (Steele and White's,
//! with a symmetric stopping test) sometimes ends one digit late or off the nearest number, and
//! whole numbers up to 2^62 keep all digits that 53 bits can tell; what ksqlDB wrote shows it.
//!
//! ```text
//!  value = B / S * 10^exponent, M = half an ulp, all scaled to whole numbers
//!  digit = B / S;  B = 10 * (B mod S);  M = 10 * M;  stop when B < M or B + M > 10 * S
//! ```
//!
//! Invariant: the digits read back as the same double. Numbers that 128 bits hold take no big
//! integers.

use num_bigint::BigUint;

/// Bits of a double's fraction.
const FRACTION_BITS: u32 = 52;

/// Digits of a number: `0.d1d2d3… * 10^exponent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digits {
    digits: [u8; 24],
    count: usize,
    /// Decimal exponent of the point before the first digit.
    pub(crate) exponent: i32,
}

impl Digits {
    fn new() -> Self {
        Self {
            digits: [b'0'; 24],
            count: 0,
            exponent: 0,
        }
    }

    fn push(&mut self, digit: u8) {
        if let Some(slot) = self.digits.get_mut(self.count) {
            *slot = b'0' + digit;
            self.count += 1;
        }
    }

    /// The digits as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.digits[..self.count]).unwrap_or_default()
    }

    /// Adds one to the last digit.
    fn round_up(&mut self) {
        for at in (0..self.count).rev() {
            if self.digits[at] != b'9' {
                self.digits[at] += 1;
                return;
            }
            self.digits[at] = b'0';
        }
        // All nines.
        self.digits[0] = b'1';
        self.exponent += 1;
    }
}

/// How many bits Java takes 5^`power` to have.
fn bits_of_power_of_5(power: i32) -> i32 {
    const BITS: [i32; 27] = [
        0, 3, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28, 31, 33, 35, 38, 40, 42, 45, 47, 49, 52, 54,
        56, 59, 61,
    ];
    usize::try_from(power)
        .ok()
        .and_then(|p| BITS.get(p).copied())
        .unwrap_or(power * 3)
}

/// The digits of a finite number above zero.
pub(crate) fn digits_of(value: f64) -> Digits {
    let bits = value.to_bits();
    let mut fraction = bits & ((1 << FRACTION_BITS) - 1);
    let biased = (bits >> FRACTION_BITS) as i32 & 0x7ff;
    let significant_bits;
    let mut exponent;
    if biased == 0 {
        let leading = fraction.leading_zeros() as i32;
        let shift = leading - (63 - FRACTION_BITS as i32);
        fraction <<= shift;
        exponent = 1 - shift;
        significant_bits = 64 - leading;
    } else {
        fraction |= 1 << FRACTION_BITS;
        exponent = biased;
        significant_bits = FRACTION_BITS as i32 + 1;
    }
    exponent -= 1023;
    let fraction_bits = FRACTION_BITS as i32 + 1 - fraction.trailing_zeros() as i32;
    let tiny_bits = (fraction_bits - exponent - 1).max(0);
    if tiny_bits == 0 && exponent <= 62 {
        return whole_digits(value as u64, exponent, significant_bits);
    }
    fractional_digits(
        fraction,
        fraction_bits,
        exponent,
        significant_bits,
        tiny_bits,
    )
}

/// The digits of a whole number, without those that 53 bits cannot tell.
fn whole_digits(value: u64, exponent: i32, significant_bits: i32) -> Digits {
    let spare = exponent - significant_bits - 1;
    // As many digits as 2^spare has beyond the first.
    let insignificant = if exponent > significant_bits && spare > 1 {
        (1u64 << spare).checked_ilog10().unwrap_or(0)
    } else {
        0
    };
    let unit = 10u64.pow(insignificant);
    let rounded = value / unit + u64::from(value % unit >= unit / 2 && unit > 1);
    let mut digits = Digits::new();
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(rounded);
    digits.exponent = (text.len() + insignificant as usize) as i32;
    text.trim_end_matches('0')
        .bytes()
        .for_each(|digit| digits.push(digit - b'0'));
    digits
}

/// Scaled numerator, denominator and half ulp.
struct Scaled<N> {
    b: N,
    s: N,
    m: N,
}

/// `floor(log10(value))`, or one more. The constants are those of the JDK, digit for digit: a better
/// one would change where the estimate is one too large.
#[allow(clippy::approx_constant)]
fn estimate_exponent(fraction: u64, exponent: i32) -> i32 {
    let mantissa = f64::from_bits(0x3ff0_0000_0000_0000 | (fraction & ((1 << FRACTION_BITS) - 1)));
    let estimate = (mantissa - 1.5) * 0.289_529_654
        + 0.176_091_259
        + f64::from(exponent) * 0.301_029_995_663_981;
    estimate.floor() as i32
}

fn fractional_digits(
    fraction: u64,
    fraction_bits: i32,
    exponent: i32,
    significant_bits: i32,
    tiny_bits: i32,
) -> Digits {
    let decimal = estimate_exponent(fraction, exponent);
    let b5 = (-decimal).max(0);
    let s5 = decimal.max(0);
    let mut b2 = b5 + tiny_bits + exponent;
    let mut s2 = s5 + tiny_bits;
    let mut m2 = b2 - significant_bits;
    let fraction = fraction >> fraction.trailing_zeros();
    b2 -= fraction_bits - 1;
    let common = b2.min(s2);
    b2 -= common;
    s2 -= common;
    m2 -= common;
    // Below a power of two the next number is half as far.
    if fraction_bits == 1 {
        m2 -= 1;
    }
    if m2 < 0 {
        b2 -= m2;
        s2 -= m2;
        m2 = 0;
    }
    let numerator_bits = fraction_bits + b2 + bits_of_power_of_5(b5);
    let denominator_bits = s2 + 1 + bits_of_power_of_5(s5 + 1);
    // In 64 bits Java compares for "above", with its big integers for "at least".
    let narrow = numerator_bits < 64 && denominator_bits < 64;
    let fits = |power2: i32, power5: i32, bits: i32| power2 + power5 * 3 + bits < 118;
    if fits(b2, b5, fraction_bits) && fits(s2, s5, 0) && fits(m2, b5, 0) {
        let power = |p5: i32, p2: i32| 5u128.pow(p5 as u32) << p2;
        let scaled = Scaled {
            b: u128::from(fraction) * power(b5, b2),
            s: power(s5, s2),
            m: power(b5, m2),
        };
        return develop(scaled, decimal, narrow);
    }
    let power = |p5: i32, p2: i32| BigUint::from(5u32).pow(p5 as u32) << p2 as usize;
    let scaled = Scaled {
        b: BigUint::from(fraction) * power(b5, b2),
        s: power(s5, s2),
        m: power(b5, m2),
    };
    develop(scaled, decimal, narrow)
}

/// What the search needs of a number type.
trait Number: Sized + Ord {
    /// The quotient, which is a digit, by `divisor`; the rest stays.
    fn take_quotient(&mut self, divisor: &Self) -> u8;
    fn times_10(&mut self);
    fn sum(&self, other: &Self) -> Self;
}

impl Number for u128 {
    fn take_quotient(&mut self, divisor: &Self) -> u8 {
        let quotient = *self / divisor;
        *self %= divisor;
        quotient as u8
    }

    fn times_10(&mut self) {
        *self *= 10;
    }

    fn sum(&self, other: &Self) -> Self {
        self + other
    }
}

impl Number for BigUint {
    fn take_quotient(&mut self, divisor: &Self) -> u8 {
        let quotient = &*self / divisor;
        *self -= &quotient * divisor;
        quotient.iter_u32_digits().next().unwrap_or(0) as u8
    }

    fn times_10(&mut self) {
        *self *= 10u32;
    }

    fn sum(&self, other: &Self) -> Self {
        self + other
    }
}

fn develop<N: Number + Clone>(scaled: Scaled<N>, decimal: i32, narrow: bool) -> Digits {
    let Scaled { mut b, s, mut m } = scaled;
    let mut tens = s.clone();
    tens.times_10();
    let mut decimal = decimal;
    let mut digits = Digits::new();
    let mut step = |b: &mut N| {
        let digit = b.take_quotient(&s);
        b.times_10();
        m.times_10();
        let reach = b.sum(&m);
        let high = if narrow { reach > tens } else { reach >= tens };
        (digit, *b < m, high)
    };
    let (first, mut low, mut high) = step(&mut b);
    if first == 0 && !high {
        decimal -= 1;
    } else {
        digits.push(first);
    }
    // With an exponent there are two digits at least.
    if !(-3..8).contains(&decimal) {
        low = false;
        high = false;
    }
    while !low && !high {
        let (digit, l, h) = step(&mut b);
        (low, high) = (l, h);
        digits.push(digit);
    }
    digits.exponent = decimal + 1;
    if high {
        let twice = b.sum(&b);
        let last_is_odd = digits
            .text()
            .bytes()
            .last()
            .is_some_and(|digit| digit % 2 == 1);
        if !low || twice > tens || (twice == tens && last_is_odd) {
            digits.round_up();
        }
    }
    digits
}
