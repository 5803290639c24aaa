//! Roots, logarithms, trigonometry and other functions of DOUBLE (spec/sql.md §7.1 Numeric).

use arrow::array::ArrayRef;
use datafusion::common::Result;

use super::java_math;
use crate::kernel::{Call, row_error};
use crate::registry::{Category, Function, Param, Type, Variant};

/// A function of one number, computed in DOUBLE, with variants for INTEGER, BIGINT and DOUBLE.
macro_rules! of_double {
    ($name:literal, $description:literal, $f:expr) => {
        Function::scalar(
            $name,
            Category::Mathematical,
            $description,
            &[
                Variant::new(
                    &[Param::new("value", Type::Integer, "the number")],
                    Type::Double,
                    |call| {
                        let value = call.ints(0)?;
                        call.to_doubles(|row| Some($f(f64::from(value.get(row)?))))
                    },
                ),
                Variant::new(
                    &[Param::new("value", Type::Bigint, "the number")],
                    Type::Double,
                    |call| {
                        let value = call.bigints(0)?;
                        call.to_doubles(|row| Some($f(value.get(row)? as f64)))
                    },
                ),
                Variant::new(
                    &[Param::new("value", Type::Double, "the number")],
                    Type::Double,
                    |call| {
                        let value = call.doubles(0)?;
                        call.to_doubles(|row| Some($f(value.get(row)?)))
                    },
                ),
            ],
        )
    };
}

/// Variants of a function of two numbers, computed in DOUBLE.
macro_rules! of_two {
    ($left:literal, $left_doc:literal, $right:literal, $right_doc:literal, $f:expr) => {
        &[
            Variant::new(
                &[
                    Param::new($left, Type::Integer, $left_doc),
                    Param::new($right, Type::Integer, $right_doc),
                ],
                Type::Double,
                |call| {
                    let (left, right) = (call.ints(0)?, call.ints(1)?);
                    call.to_doubles(|row| {
                        Some($f(f64::from(left.get(row)?), f64::from(right.get(row)?)))
                    })
                },
            ),
            Variant::new(
                &[
                    Param::new($left, Type::Bigint, $left_doc),
                    Param::new($right, Type::Bigint, $right_doc),
                ],
                Type::Double,
                |call| {
                    let (left, right) = (call.bigints(0)?, call.bigints(1)?);
                    call.to_doubles(|row| Some($f(left.get(row)? as f64, right.get(row)? as f64)))
                },
            ),
            Variant::new(
                &[
                    Param::new($left, Type::Double, $left_doc),
                    Param::new($right, Type::Double, $right_doc),
                ],
                Type::Double,
                |call| {
                    let (left, right) = (call.doubles(0)?, call.doubles(1)?);
                    call.to_doubles(|row| Some($f(left.get(row)?, right.get(row)?)))
                },
            ),
        ]
    };
}

const LOG_VARIANTS: &[Variant] = &[
    Variant::new(
        &[Param::new("value", Type::Integer, "the number")],
        Type::Double,
        |call| {
            let value = call.ints(0)?;
            call.to_doubles(|row| Some(f64::from(value.get(row)?).ln()))
        },
    ),
    Variant::new(
        &[Param::new("value", Type::Bigint, "the number")],
        Type::Double,
        |call| {
            let value = call.bigints(0)?;
            call.to_doubles(|row| Some((value.get(row)? as f64).ln()))
        },
    ),
    Variant::new(
        &[Param::new("value", Type::Double, "the number")],
        Type::Double,
        |call| {
            let value = call.doubles(0)?;
            call.to_doubles(|row| Some(value.get(row)?.ln()))
        },
    ),
    LOG_BASE[0],
    LOG_BASE[1],
    LOG_BASE[2],
];

const LOG_BASE: &[Variant; 3] = of_two!("base", "the base", "value", "the number", log_to_base);

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    of_double!("ACOS", "The angle, in radians, of a cosine.", libm::acos),
    of_double!("ASIN", "The angle, in radians, of a sine.", libm::asin),
    of_double!("ATAN", "The angle, in radians, of a tangent.", libm::atan),
    of_double!("CBRT", "The cube root.", java_math::cbrt),
    of_double!("COS", "The cosine of an angle in radians.", f64::cos),
    of_double!("COSH", "The hyperbolic cosine.", java_math::cosh),
    of_double!("COT", "The cotangent of an angle in radians.", |x: f64| 1.0
        / x.tan()),
    of_double!("DEGREES", "Degrees from radians.", f64::to_degrees),
    of_double!("EXP", "Euler's number to a power.", f64::exp),
    of_double!("LN", "The natural logarithm.", f64::ln),
    of_double!("RADIANS", "Radians from degrees.", f64::to_radians),
    of_double!("SIN", "The sine of an angle in radians.", f64::sin),
    of_double!("SINH", "The hyperbolic sine.", java_math::sinh),
    of_double!("SQRT", "The square root.", f64::sqrt),
    of_double!("TAN", "The tangent of an angle in radians.", f64::tan),
    of_double!("TANH", "The hyperbolic tangent.", f64::tanh),
    Function::scalar(
        "ATAN2",
        Category::Mathematical,
        "The angle, in radians, of a point from the positive x axis.",
        of_two!("y", "the ordinate", "x", "the abscissa", java_math::atan2),
    ),
    Function::scalar(
        "LOG",
        Category::Mathematical,
        "The natural logarithm, or the logarithm to a base.",
        LOG_VARIANTS,
    ),
    Function::scalar(
        "POWER",
        Category::Mathematical,
        "A number to a power.",
        of_two!("base", "the base", "exponent", "the exponent", power),
    ),
    Function::scalar(
        "PI",
        Category::Mathematical,
        "The ratio of a circle's circumference to its diameter.",
        &[Variant::new(&[], Type::Double, |call| {
            call.to_doubles(|_| Some(std::f64::consts::PI))
        })],
    ),
    Function::scalar(
        "RANDOM",
        Category::Mathematical,
        "A random number, at least 0.0 and below 1.0.",
        &[Variant::new(&[], Type::Double, |call| {
            call.to_doubles(|_| Some(rand::random()))
        })],
    )
    .volatile(),
    Function::scalar(
        "GEO_DISTANCE",
        Category::Mathematical,
        "The distance of two points of the globe along a great circle.",
        &[
            Variant::new(&POINTS, Type::Double, geo_distance),
            Variant::new(
                &[
                    POINTS[0],
                    POINTS[1],
                    POINTS[2],
                    POINTS[3],
                    Param::new(
                        "units",
                        Type::String,
                        "kilometers (KM, the default) or miles (MI)",
                    ),
                ],
                Type::Double,
                geo_distance,
            ),
        ],
    ),
];

const POINTS: [Param; 4] = [
    Param::new(
        "lat1",
        Type::Double,
        "latitude of the first point, in degrees",
    ),
    Param::new(
        "lon1",
        Type::Double,
        "longitude of the first point, in degrees",
    ),
    Param::new(
        "lat2",
        Type::Double,
        "latitude of the second point, in degrees",
    ),
    Param::new(
        "lon2",
        Type::Double,
        "longitude of the second point, in degrees",
    ),
];

/// `ln(value) / ln(base)`; not a number for a base that has no logarithm.
fn log_to_base(base: f64, value: f64) -> f64 {
    if base <= 0.0 || base == 1.0 {
        f64::NAN
    } else {
        value.ln() / base.ln()
    }
}

/// `base` to `exponent` with Java's choice in the cases where C's differs.
fn power(base: f64, exponent: f64) -> f64 {
    let undefined = exponent.is_nan() || (base.abs() == 1.0 && exponent.is_infinite());
    if undefined {
        f64::NAN
    } else {
        base.powf(exponent)
    }
}

const EARTH_KILOMETERS: f64 = 6371.0;
const EARTH_MILES: f64 = 3959.0;

fn geo_distance(call: &Call<'_>) -> Result<ArrayRef> {
    let (lat1, lon1) = (call.doubles(0)?, call.doubles(1)?);
    let (lat2, lon2) = (call.doubles(2)?, call.doubles(3)?);
    let units = if call.has(4) {
        Some(call.strings(4)?)
    } else {
        None
    };
    call.to_doubles(|row| {
        let points = [
            lat1.get(row)?,
            lon1.get(row)?,
            lat2.get(row)?,
            lon2.get(row)?,
        ];
        let radius = match units.and_then(|units| units.get(row)) {
            None => EARTH_KILOMETERS,
            Some(unit) => earth_radius(unit)?,
        };
        haversine(points, radius)
    })
}

fn earth_radius(unit: &str) -> Option<f64> {
    match unit.trim().to_ascii_lowercase().as_str() {
        "" | "km" | "kilometer" | "kilometers" | "kilometre" | "kilometres" => {
            Some(EARTH_KILOMETERS)
        }
        "mi" | "mile" | "miles" => Some(EARTH_MILES),
        _ => row_error(|| format!("Unit of distance must be KM or MI, but was '{unit}'")),
    }
}

/// The distance of two points given as latitude, longitude, latitude, longitude in degrees.
fn haversine([lat1, lon1, lat2, lon2]: [f64; 4], radius: f64) -> Option<f64> {
    for (value, limit, name) in [
        (lat1, 90.0, "latitude"),
        (lat2, 90.0, "latitude"),
        (lon1, 180.0, "longitude"),
        (lon2, 180.0, "longitude"),
    ] {
        if value < -limit || value > limit {
            return row_error(|| format!("{value} is no {name}: it must lie within ±{limit}"));
        }
    }
    let (dlat, dlon) = ((lat2 - lat1).to_radians(), (lon2 - lon1).to_radians());
    let chord = (dlat / 2.0).sin().powi(2)
        + (dlon / 2.0).sin().powi(2) * lat1.to_radians().cos() * lat2.to_radians().cos();
    Some(radius * 2.0 * libm::asin(chord.sqrt()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn powers_as_in_java() {
        for (base, exponent, expected) in [
            (2.0, 10.0, 1024.0),
            (0.0, -1.0, f64::INFINITY),
            (-8.0, 1.0 / 3.0, f64::NAN),
            (1.0, f64::NAN, f64::NAN),
            (-1.0, f64::INFINITY, f64::NAN),
            (f64::NAN, 0.0, 1.0),
        ] {
            let actual = power(base, exponent);
            let same = actual == expected || (actual.is_nan() && expected.is_nan());
            assert!(same, "{base} ^ {exponent} = {actual}");
        }
    }

    #[test]
    fn logarithms_to_a_base() {
        assert_eq!(log_to_base(2.0, 8.0), 3.0);
        assert!(log_to_base(1.0, 5.0).is_nan());
        assert!(log_to_base(0.0, 5.0).is_nan());
        assert_eq!(log_to_base(f64::INFINITY, 2.0), 0.0);
    }

    #[test]
    fn distances() {
        let radius = earth_radius(" Kilometres").unwrap();
        assert_eq!(
            haversine([10.0, 20.0, 30.0, 40.0], radius),
            Some(3040.6028180682006)
        );
        assert_eq!(haversine([91.0, 0.0, 0.0, 0.0], radius), None);
        assert_eq!(earth_radius("nm"), None);
    }
}
