//! Functions of DOUBLE whose last digit is that of Java's library.
//!
//! Java computes these by the methods of fdlibm on every machine, and so does the `libm` crate for
//! arc functions and exponentials; the platform's library rounds some results differently. What
//! Java leaves to the processor (sines, logarithms, powers) is the platform's here too.

use std::f64::consts::{FRAC_PI_2, LN_2, PI};

/// The largest number whose exponential is finite.
const LOG_MAX: f64 = 709.782_712_893_384;

/// What [`PI`] leaves of π.
const PI_REST: f64 = 1.224_646_799_147_353_2e-16;

/// The cube root by the method of Java's library, so that results agree to the last bit: an
/// estimate from the exponent's third, improved to 23 bits by a rational function, then one step
/// of Newton.
pub(super) fn cbrt(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let x = value.abs();
    // A third of the biased exponent, with the constant that centres the error.
    let third = |x: f64, bias: u64| f64::from_bits(((x.to_bits() >> 32) / 3 + bias) << 32);
    let estimate = if x < f64::MIN_POSITIVE {
        third(x * 2f64.powi(54), 696_219_795)
    } else {
        third(x, 715_094_163)
    };
    let r = estimate * estimate / x;
    let s = 19.0 / 35.0 + r * estimate;
    let improved = estimate * (5.0 / 14.0 + 45.0 / 28.0 / (s + 99.0 / 70.0 - 864.0 / 1225.0 / s));
    // Cut to 20 bits and made larger than the root, so that the square below is exact.
    let t = f64::from_bits(((improved.to_bits() >> 32) + 1) << 32);
    let error = x / (t * t);
    let root = t + t * ((error - t) / (t + t + error));
    root.copysign(value)
}

/// The hyperbolic cosine.
pub(super) fn cosh(value: f64) -> f64 {
    let x = value.abs();
    if x < 0.5 * LN_2 {
        let t = libm::expm1(x);
        1.0 + t * t / (2.0 * (1.0 + t))
    } else if x < 22.0 {
        let t = libm::exp(x);
        0.5 * t + 0.5 / t
    } else {
        half_exp(x, 0.5)
    }
}

/// The hyperbolic sine.
pub(super) fn sinh(value: f64) -> f64 {
    let half = 0.5f64.copysign(value);
    let x = value.abs();
    if x < 2f64.powi(-28) {
        value
    } else if x < 22.0 {
        let t = libm::expm1(x);
        if x < 1.0 {
            half * (2.0 * t - t * t / (t + 1.0))
        } else {
            half * (t + t / (t + 1.0))
        }
    } else {
        half_exp(x, half)
    }
}

/// `half * exp(x)`, also where `exp(x)` alone would overflow.
fn half_exp(x: f64, half: f64) -> f64 {
    if x < LOG_MAX {
        half * libm::exp(x)
    } else {
        let root = libm::exp(0.5 * x);
        half * root * root
    }
}

/// The angle of the point `(x, y)`.
pub(super) fn atan2(y: f64, x: f64) -> f64 {
    let exponent = |value: f64| i64::try_from((value.to_bits() >> 32) & 0x7FFF_FFFF).unwrap_or(0);
    let steep = (exponent(y) - exponent(x)) >> 20 > 60;
    if steep && x < 0.0 && x.is_finite() && y.is_finite() {
        // Beside the negative half of the y axis's line the rest of π is taken off twice.
        return (PI - (FRAC_PI_2 + 0.5 * PI_REST - PI_REST)).copysign(y);
    }
    libm::atan2(y, x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cbrts_as_in_java() {
        for (value, root) in [
            (-3.75, -1.5536162529769293),
            (-745.2, -9.066178847264215),
            (10.0, 2.154434690031884),
            (1e300, 1e100),
            (-0.0, -0.0),
            (f64::NEG_INFINITY, f64::NEG_INFINITY),
        ] {
            assert_eq!(cbrt(value).to_bits(), f64::to_bits(root), "{value}");
        }
        let tiny = cbrt(5e-324);
        assert!((tiny * tiny * tiny - 5e-324).abs() < 1e-323, "{tiny}");
    }

    /// Values that Java 17 prints.
    #[test]
    fn last_digits_as_in_java() {
        for (name, actual, expected) in [
            ("cosh", cosh(1.0), 1.543080634815244),
            ("cosh", cosh(-480.8639484037965), 3.4318582573779577e208),
            ("cosh", cosh(710.0), 1.1169973830808557e308),
            ("cosh", cosh(711.0), f64::INFINITY),
            ("cosh", cosh(0.0), 1.0),
            ("sinh", sinh(40.0), 1.176_926_334_185_099_8e17),
            ("sinh", sinh(-317.29162819654306), -3.1403155101094064e137),
            ("sinh", sinh(-0.0), -0.0),
            ("sinh", sinh(f64::NEG_INFINITY), f64::NEG_INFINITY),
            ("atan2", atan2(88.0, -3.375), 1.609129812021362),
            ("atan2", atan2(6.5, -12.0), 2.6451699001849116),
            ("atan2", atan2(1e21, -37.0), 1.5707963267948968),
            ("atan2", atan2(-1e21, -37.0), -1.5707963267948968),
            ("atan2", atan2(1e21, 37.0), FRAC_PI_2),
            ("atan2", atan2(1.0, f64::NEG_INFINITY), PI),
        ] {
            assert_eq!(actual.to_bits(), f64::to_bits(expected), "{name}: {actual}");
        }
        assert!(
            cosh(f64::NAN).is_nan() && sinh(f64::NAN).is_nan() && atan2(f64::NAN, 1.0).is_nan()
        );
    }
}
