//! The pattern language of Java's `DateTimeFormatter`, compiled.
//!
//! ```text
//!   "yyyy-MM-dd['T'HH:mm]"  ──compile──►  [Number(year of era), '-', …, Optional([…])]
//! ```
//!
//! Invariant: a pattern compiles here if and only if `DateTimeFormatterBuilder.appendPattern`
//! takes it.

use super::symbols::{Named, Style};

/// A number that a date or time has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Field {
    NanoOfSecond,
    NanoOfDay,
    MilliOfDay,
    SecondOfMinute,
    MinuteOfHour,
    /// 0 to 11.
    HourOfHalf,
    /// 1 to 12.
    ClockHourOfHalf,
    /// 0 to 23.
    HourOfDay,
    /// 1 to 24.
    ClockHourOfDay,
    /// 0 AM, 1 PM.
    HalfOfDay,
    /// A minute of the part of the day that was named.
    DayPeriod,
    /// 1 Monday, 7 Sunday.
    DayOfWeek,
    /// 1 Sunday, 7 Saturday.
    LocalDayOfWeek,
    /// Day of a week that begins with the first of the month.
    AlignedDayOfWeek,
    DayOfMonth,
    DayOfYear,
    ModifiedJulianDay,
    WeekOfMonth,
    WeekOfYear,
    WeekBasedYear,
    MonthOfYear,
    QuarterOfYear,
    YearOfEra,
    Year,
    /// 0 BC, 1 AD.
    Era,
    OffsetSeconds,
}

/// How many fields there are.
pub(crate) const FIELDS: usize = Field::OffsetSeconds as usize + 1;

/// How a number's sign is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Minus where negative.
    Normal,
    /// No negative numbers.
    NotNegative,
    /// Minus where negative, plus where there are more digits than the width.
    ExceedsPad,
}

/// Digits of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) field: Field,
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) sign: Sign,
    pub(crate) kind: NumberKind,
    /// Digits of the numbers that follow without anything between; a number in front of those
    /// leaves them over.
    pub(crate) reserved: usize,
}

/// What the digits stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberKind {
    Plain,
    /// The last two digits of a year from 2000 to 2099.
    TwoDigitYear,
    /// Leading digits of the nanosecond.
    Fraction,
}

/// How an offset is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OffsetStyle {
    pub(crate) colon: bool,
    pub(crate) minutes: Part,
    pub(crate) seconds: Part,
    /// What stands for the offset zero.
    pub(crate) zero: &'static str,
}

/// Whether a part of an offset is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Never,
    IfNotZero,
    Always,
}

/// One step of printing or reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Element {
    Literal(char),
    Number(Number),
    Text(Field, Named, Style),
    Offset(OffsetStyle),
    /// `GMT+8`.
    LocalizedOffset(Style),
    ZoneId,
    ZoneName {
        style: Style,
        generic: bool,
    },
    /// The element after it, padded with blanks to a width.
    Pad(usize, Box<Element>),
    Optional(Vec<Element>),
}

/// Compiles `pattern`; the error says what is wrong with it.
pub(crate) fn compile(pattern: &str) -> Result<Vec<Element>, String> {
    let mut compiler = Compiler {
        stack: vec![Vec::new()],
        run: vec![None],
        pad: None,
    };
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            'a'..='z' | 'A'..='Z' => {
                let mut letter = c;
                let mut count = 1;
                while chars.next_if_eq(&letter).is_some() {
                    count += 1;
                }
                if letter == 'p' {
                    let Some(next) = chars.next_if(char::is_ascii_alphabetic) else {
                        return Err(format!(
                            "Letter 'p' must be followed by the letter that it pads: {pattern}"
                        ));
                    };
                    compiler.pad = Some(count);
                    letter = next;
                    count = 1;
                    while chars.next_if_eq(&letter).is_some() {
                        count += 1;
                    }
                }
                compiler.letter(letter, count)?;
            }
            '\'' => {
                let mut text = String::new();
                loop {
                    match chars.next() {
                        Some('\'') if chars.next_if_eq(&'\'').is_some() => text.push('\''),
                        Some('\'') => break,
                        Some(other) => text.push(other),
                        None => {
                            return Err(format!(
                                "The pattern ends within a quoted text: {pattern}"
                            ));
                        }
                    }
                }
                if text.is_empty() {
                    text.push('\'');
                }
                text.chars()
                    .for_each(|c| compiler.push(Element::Literal(c)));
            }
            '[' => compiler.open(),
            ']' => {
                if !compiler.close() {
                    return Err(format!("The pattern has a ']' without a '[': {pattern}"));
                }
            }
            '{' | '}' | '#' => {
                return Err(format!(
                    "The pattern has the reserved character '{c}': {pattern}"
                ));
            }
            _ => compiler.push(Element::Literal(c)),
        }
    }
    while compiler.close() {}
    Ok(compiler.stack.pop().unwrap_or_default())
}

struct Compiler {
    /// Open sections, outermost first.
    stack: Vec<Vec<Element>>,
    /// Where in each section the first of a run of adjacent numbers is.
    run: Vec<Option<usize>>,
    pad: Option<usize>,
}

impl Compiler {
    fn open(&mut self) {
        if let Some(run) = self.run.last_mut() {
            *run = None;
        }
        self.stack.push(Vec::new());
        self.run.push(None);
    }

    fn close(&mut self) -> bool {
        if self.stack.len() < 2 {
            return false;
        }
        self.run.pop();
        if let Some(section) = self.stack.pop()
            && !section.is_empty()
        {
            self.push(Element::Optional(section));
        }
        true
    }

    fn add(&mut self, element: Element) -> usize {
        let element = match self.pad.take() {
            Some(width) => Element::Pad(width, Box::new(element)),
            None => element,
        };
        match self.stack.last_mut() {
            Some(section) => {
                section.push(element);
                section.len() - 1
            }
            None => 0,
        }
    }

    fn push(&mut self, element: Element) {
        self.add(element);
        if let Some(run) = self.run.last_mut() {
            *run = None;
        }
    }

    /// Adds a number. One of fixed width right after another number takes its digits from what
    /// that one would read.
    fn number(&mut self, number: Number) {
        let fixed = number.min == number.max && number.sign == Sign::NotNegative;
        let first = self.run.last().copied().flatten();
        let index = self.add(Element::Number(number));
        match first {
            Some(first) if fixed => {
                let base = self.stack.last_mut().and_then(|s| s.get_mut(first));
                if let Some(Element::Number(base)) = base {
                    base.reserved += number.max;
                }
            }
            _ => {
                if let Some(run) = self.run.last_mut() {
                    *run = Some(index);
                }
            }
        }
    }

    fn value(&mut self, field: Field) {
        self.digits(field, 1, 19, Sign::Normal);
    }

    fn digits(&mut self, field: Field, min: usize, max: usize, sign: Sign) {
        self.number(Number {
            field,
            min,
            max,
            sign,
            kind: NumberKind::Plain,
            reserved: 0,
        });
    }

    fn year(&mut self, field: Field, count: usize) {
        match count {
            2 => self.number(Number {
                field,
                min: 2,
                max: 2,
                sign: Sign::NotNegative,
                kind: NumberKind::TwoDigitYear,
                reserved: 0,
            }),
            1 | 3 => self.digits(field, count, 19, Sign::Normal),
            _ => self.digits(field, count, 19, Sign::ExceedsPad),
        }
    }

    fn named(
        &mut self,
        field: Field,
        named: Named,
        letter: char,
        count: usize,
    ) -> Result<(), String> {
        let style = match count {
            3 => Style::Short,
            4 => Style::Full,
            5 => Style::Narrow,
            _ => return Err(too_many(letter)),
        };
        self.push(Element::Text(field, named, style));
        Ok(())
    }

    fn letter(&mut self, letter: char, count: usize) -> Result<(), String> {
        match (letter, count) {
            ('u', _) => self.year(Field::Year, count),
            ('y', _) => self.year(Field::YearOfEra, count),
            ('Y', _) => self.year(Field::WeekBasedYear, count),
            ('M' | 'L' | 'Q' | 'q', _) => {
                let (field, named) = if matches!(letter, 'M' | 'L') {
                    (Field::MonthOfYear, Named::Month)
                } else {
                    (Field::QuarterOfYear, Named::Quarter)
                };
                match count {
                    1 => self.value(field),
                    2 => self.digits(field, 2, 2, Sign::NotNegative),
                    _ => self.named(field, named, letter, count)?,
                }
            }
            ('E', 1..=3) => {
                self.push(Element::Text(
                    Field::DayOfWeek,
                    Named::DayOfWeek,
                    Style::Short,
                ));
            }
            ('e', 1 | 2) => self.digits(Field::LocalDayOfWeek, count, 2, Sign::NotNegative),
            ('c', 1) => self.digits(Field::LocalDayOfWeek, 1, 2, Sign::NotNegative),
            ('c', 2) => return Err("The pattern has 'cc', which has no meaning".to_owned()),
            ('E' | 'e' | 'c', _) => {
                self.named(Field::DayOfWeek, Named::DayOfWeek, letter, count)?;
            }
            ('w', 1 | 2) => self.digits(Field::WeekOfYear, count, 2, Sign::NotNegative),
            ('W', 1) => self.digits(Field::WeekOfMonth, 1, 2, Sign::NotNegative),
            ('G', 1..=3) => self.push(Element::Text(Field::Era, Named::Era, Style::Short)),
            ('G', _) => self.named(Field::Era, Named::Era, letter, count)?,
            ('a', 1) => {
                self.push(Element::Text(
                    Field::HalfOfDay,
                    Named::HalfDay,
                    Style::Short,
                ));
            }
            ('B', 1 | 4 | 5) => {
                let style = match count {
                    1 => Style::Short,
                    4 => Style::Full,
                    _ => Style::Narrow,
                };
                self.push(Element::Text(Field::DayPeriod, Named::DayPeriod, style));
            }
            ('S', 1..=9) => self.number(Number {
                field: Field::NanoOfSecond,
                min: count,
                max: count,
                sign: Sign::NotNegative,
                kind: NumberKind::Fraction,
                reserved: 0,
            }),
            ('F', 1) => self.value(Field::AlignedDayOfWeek),
            ('d' | 'h' | 'H' | 'k' | 'K' | 'm' | 's', 1 | 2) => {
                let field = match letter {
                    'd' => Field::DayOfMonth,
                    'h' => Field::ClockHourOfHalf,
                    'H' => Field::HourOfDay,
                    'k' => Field::ClockHourOfDay,
                    'K' => Field::HourOfHalf,
                    'm' => Field::MinuteOfHour,
                    _ => Field::SecondOfMinute,
                };
                if count == 1 {
                    self.value(field);
                } else {
                    self.digits(field, 2, 2, Sign::NotNegative);
                }
            }
            ('D', 1) => self.value(Field::DayOfYear),
            ('D', 2 | 3) => self.digits(Field::DayOfYear, count, 3, Sign::NotNegative),
            ('g', _) => self.digits(Field::ModifiedJulianDay, count, 19, Sign::Normal),
            ('A', 1..=19) => self.digits(Field::MilliOfDay, count, 19, Sign::NotNegative),
            ('n', 1..=19) => self.digits(Field::NanoOfSecond, count, 19, Sign::NotNegative),
            ('N', 1..=19) => self.digits(Field::NanoOfDay, count, 19, Sign::NotNegative),
            ('V', 2) => self.push(Element::ZoneId),
            ('V', _) => return Err("The letter 'V' must stand twice".to_owned()),
            ('z', 1..=3) => self.zone_name(Style::Short, false),
            ('z', 4) => self.zone_name(Style::Full, false),
            ('v', 1) => self.zone_name(Style::Short, true),
            ('v', 4) => self.zone_name(Style::Full, true),
            ('O', 1) => self.push(Element::LocalizedOffset(Style::Short)),
            ('O' | 'Z', 4) => self.push(Element::LocalizedOffset(Style::Full)),
            ('Z', 1..=3) => self.offset(2, "+0000"),
            ('Z', 5) => self.offset(5, "Z"),
            ('X', 1..=5) => self.offset(count, "Z"),
            ('x', 1) => self.offset(1, "+00"),
            ('x', 2 | 4) => self.offset(count, "+0000"),
            ('x', 3 | 5) => self.offset(count, "+00:00"),
            (
                'w' | 'W' | 'a' | 'B' | 'S' | 'F' | 'd' | 'h' | 'H' | 'k' | 'K' | 'm' | 's' | 'D'
                | 'A' | 'n' | 'N' | 'z' | 'v' | 'O' | 'Z' | 'X' | 'x',
                _,
            ) => return Err(too_many(letter)),
            _ => return Err(format!("Unknown pattern letter: {letter}")),
        }
        Ok(())
    }

    fn zone_name(&mut self, style: Style, generic: bool) {
        self.push(Element::ZoneName { style, generic });
    }

    /// The offset styles of one to five letters `X`.
    fn offset(&mut self, letters: usize, zero: &'static str) {
        self.push(Element::Offset(OffsetStyle {
            colon: letters == 3 || letters == 5,
            minutes: if letters == 1 {
                Part::IfNotZero
            } else {
                Part::Always
            },
            seconds: if letters > 3 {
                Part::IfNotZero
            } else {
                Part::Never
            },
            zero,
        }));
    }
}

fn too_many(letter: char) -> String {
    format!("The pattern letter '{letter}' stands too often in a row")
}
