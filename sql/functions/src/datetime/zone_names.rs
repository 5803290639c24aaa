//! Names of time zones in en_US, as Java 17 has them.
//!
//! One row for a group of zones with the same names. Zones in no row go by the abbreviation of
//! the time zone database or, where it has none but digits, by their distance from Greenwich.

use super::symbols::{Style, starts_with};
use super::zone::Zone;

/// Names of a group of zones: standard, daylight and generic, each long and short; the first zone
/// is the one that a name means when it is read.
struct Group {
    standard: (&'static str, &'static str),
    daylight: (&'static str, &'static str),
    generic: (&'static str, &'static str),
    zones: &'static [&'static str],
}

const fn group(
    standard: (&'static str, &'static str),
    daylight: (&'static str, &'static str),
    generic: (&'static str, &'static str),
    zones: &'static [&'static str],
) -> Group {
    Group {
        standard,
        daylight,
        generic,
        zones,
    }
}

const GROUPS: &[Group] = &[
    group(
        ("Pacific Standard Time", "PST"),
        ("Pacific Daylight Time", "PDT"),
        ("Pacific Time", "PT"),
        &[
            "America/Los_Angeles",
            "America/Vancouver",
            "America/Tijuana",
            "US/Pacific",
            "PST8PDT",
            "Canada/Pacific",
        ],
    ),
    group(
        ("Mountain Standard Time", "MST"),
        ("Mountain Daylight Time", "MDT"),
        ("Mountain Time", "MT"),
        &[
            "America/Denver",
            "America/Phoenix",
            "America/Edmonton",
            "America/Boise",
            "US/Mountain",
            "US/Arizona",
            "MST7MDT",
            "Canada/Mountain",
            "Navajo",
        ],
    ),
    group(
        ("Central Standard Time", "CST"),
        ("Central Daylight Time", "CDT"),
        ("Central Time", "CT"),
        &[
            "America/Chicago",
            "America/Winnipeg",
            "America/Mexico_City",
            "America/Costa_Rica",
            "America/Guatemala",
            "America/Regina",
            "US/Central",
            "CST6CDT",
            "Canada/Central",
        ],
    ),
    group(
        ("Eastern Standard Time", "EST"),
        ("Eastern Daylight Time", "EDT"),
        ("Eastern Time", "ET"),
        &[
            "America/New_York",
            "America/Toronto",
            "America/Detroit",
            "America/Jamaica",
            "America/Panama",
            "US/Eastern",
            "EST5EDT",
            "Canada/Eastern",
        ],
    ),
    group(
        ("Atlantic Standard Time", "AST"),
        ("Atlantic Daylight Time", "ADT"),
        ("Atlantic Time", "AT"),
        &[
            "America/Halifax",
            "America/Puerto_Rico",
            "Atlantic/Bermuda",
            "Canada/Atlantic",
        ],
    ),
    group(
        ("Newfoundland Standard Time", "NST"),
        ("Newfoundland Daylight Time", "NDT"),
        ("Newfoundland Time", "NT"),
        &["America/St_Johns", "Canada/Newfoundland"],
    ),
    group(
        ("Alaska Standard Time", "AKST"),
        ("Alaska Daylight Time", "AKDT"),
        ("Alaska Time", "AKT"),
        &["America/Anchorage", "America/Juneau", "US/Alaska"],
    ),
    group(
        ("Hawaii-Aleutian Standard Time", "HST"),
        ("Hawaii-Aleutian Daylight Time", "HDT"),
        ("Hawaii-Aleutian Time", "HST"),
        &["Pacific/Honolulu", "US/Hawaii"],
    ),
    group(
        ("Brasilia Standard Time", "BRT"),
        ("Brasilia Summer Time", "BRST"),
        ("Brasilia Time", "BRT"),
        &[
            "America/Sao_Paulo",
            "America/Bahia",
            "America/Fortaleza",
            "Brazil/East",
        ],
    ),
    group(
        ("Argentina Standard Time", "ART"),
        ("Argentina Summer Time", "ARST"),
        ("Argentina Time", "ART"),
        &["America/Buenos_Aires", "America/Argentina/Buenos_Aires"],
    ),
    group(
        ("Colombia Standard Time", "COT"),
        ("Colombia Summer Time", "COST"),
        ("Colombia Time", "COT"),
        &["America/Bogota"],
    ),
    group(
        ("Chile Standard Time", "CLT"),
        ("Chile Summer Time", "CLST"),
        ("Chile Time", "CLT"),
        &["America/Santiago"],
    ),
    group(
        ("Greenwich Mean Time", "GMT"),
        ("British Summer Time", "BST"),
        ("British Time", "BT"),
        &[
            "Europe/London",
            "GB",
            "Europe/Belfast",
            "Europe/Jersey",
            "Europe/Guernsey",
            "Europe/Isle_of_Man",
        ],
    ),
    group(
        ("Greenwich Mean Time", "GMT"),
        ("Irish Standard Time", "IST"),
        ("Irish Time", "IT"),
        &["Europe/Dublin", "Eire"],
    ),
    group(
        ("Greenwich Mean Time", "GMT"),
        ("Greenwich Mean Time", "GMT"),
        ("Greenwich Mean Time", "GMT"),
        &[
            "GMT",
            "Etc/GMT",
            "Africa/Abidjan",
            "Africa/Accra",
            "Africa/Dakar",
            "Atlantic/Reykjavik",
            "Iceland",
            "Greenwich",
            "Etc/Greenwich",
            "GMT0",
        ],
    ),
    group(
        ("Coordinated Universal Time", "UTC"),
        ("Coordinated Universal Time", "UTC"),
        ("Coordinated Universal Time", "UTC"),
        &[
            "UTC",
            "Etc/UTC",
            "UT",
            "UCT",
            "Etc/UCT",
            "Zulu",
            "Etc/Zulu",
            "Universal",
            "Etc/Universal",
        ],
    ),
    group(
        ("Western European Standard Time", "WET"),
        ("Western European Summer Time", "WEST"),
        ("Western European Time", "WET"),
        &[
            "Europe/Lisbon",
            "Atlantic/Canary",
            "Atlantic/Madeira",
            "WET",
            "Portugal",
        ],
    ),
    group(
        ("Central European Standard Time", "CET"),
        ("Central European Summer Time", "CEST"),
        ("Central European Time", "CET"),
        &[
            "Europe/Paris",
            "Europe/Berlin",
            "Europe/Madrid",
            "Europe/Rome",
            "Europe/Vienna",
            "Europe/Zurich",
            "Europe/Amsterdam",
            "Europe/Brussels",
            "Europe/Copenhagen",
            "Europe/Stockholm",
            "Europe/Oslo",
            "Europe/Prague",
            "Europe/Warsaw",
            "Europe/Budapest",
            "Europe/Belgrade",
            "Europe/Zagreb",
            "Europe/Luxembourg",
            "Europe/Monaco",
            "Europe/Malta",
            "Africa/Algiers",
            "Africa/Tunis",
            "CET",
            "Poland",
        ],
    ),
    group(
        ("Eastern European Standard Time", "EET"),
        ("Eastern European Summer Time", "EEST"),
        ("Eastern European Time", "EET"),
        &[
            "Europe/Bucharest",
            "Europe/Athens",
            "Europe/Helsinki",
            "Europe/Kiev",
            "Europe/Kyiv",
            "Europe/Sofia",
            "Europe/Riga",
            "Europe/Tallinn",
            "Europe/Vilnius",
            "Africa/Cairo",
            "Asia/Beirut",
            "EET",
            "Egypt",
        ],
    ),
    group(
        ("Moscow Standard Time", "MSK"),
        ("Moscow Summer Time", "MSD"),
        ("Moscow Time", "MT"),
        &["Europe/Moscow", "W-SU"],
    ),
    group(
        ("Israel Standard Time", "IST"),
        ("Israel Daylight Time", "IDT"),
        ("Israel Time", "IT"),
        &["Asia/Jerusalem", "Asia/Tel_Aviv", "Israel"],
    ),
    group(
        ("South Africa Standard Time", "SAST"),
        ("South Africa Summer Time", "SAST"),
        ("South Africa Standard Time", "SAST"),
        &["Africa/Johannesburg"],
    ),
    group(
        ("East Africa Time", "EAT"),
        ("East Africa Time", "EAST"),
        ("East Africa Time", "EAT"),
        &["Africa/Nairobi", "Africa/Addis_Ababa"],
    ),
    group(
        ("West Africa Standard Time", "WAT"),
        ("West Africa Summer Time", "WAST"),
        ("West Africa Time", "WAT"),
        &["Africa/Lagos"],
    ),
    group(
        ("Gulf Standard Time", "GST"),
        ("Gulf Daylight Time", "GDT"),
        ("Gulf Standard Time", "GT"),
        &["Asia/Dubai", "Asia/Muscat"],
    ),
    group(
        ("Pakistan Standard Time", "PKT"),
        ("Pakistan Summer Time", "PKST"),
        ("Pakistan Time", "PKT"),
        &["Asia/Karachi"],
    ),
    group(
        ("India Standard Time", "IST"),
        ("India Daylight Time", "IDT"),
        ("India Standard Time", "IT"),
        &["Asia/Calcutta", "Asia/Kolkata", "Asia/Colombo"],
    ),
    group(
        ("Nepal Time", "NPT"),
        ("Nepal Summer Time", "NPST"),
        ("Nepal Time", "NPT"),
        &["Asia/Katmandu", "Asia/Kathmandu"],
    ),
    group(
        ("Bangladesh Standard Time", "BDT"),
        ("Bangladesh Summer Time", "BDST"),
        ("Bangladesh Time", "BDT"),
        &["Asia/Dhaka"],
    ),
    group(
        ("Indochina Time", "ICT"),
        ("Indochina Summer Time", "ICST"),
        ("Indochina Time", "ICT"),
        &["Asia/Bangkok", "Asia/Saigon", "Asia/Ho_Chi_Minh"],
    ),
    group(
        ("Western Indonesia Time", "WIB"),
        ("West Indonesia Summer Time", "WIST"),
        ("Western Indonesia Time", "WIB"),
        &["Asia/Jakarta"],
    ),
    group(
        ("Singapore Standard Time", "SGT"),
        ("Singapore Daylight Time", "SGDT"),
        ("Singapore Time", "SGT"),
        &["Asia/Singapore", "Singapore"],
    ),
    group(
        ("China Standard Time", "CST"),
        ("China Daylight Time", "CDT"),
        ("China Time", "CT"),
        &["Asia/Shanghai", "Asia/Chongqing", "PRC", "Asia/Macau"],
    ),
    group(
        ("Hong Kong Standard Time", "HKT"),
        ("Hong Kong Summer Time", "HKST"),
        ("Hong Kong Time", "HKT"),
        &["Asia/Hong_Kong", "Hongkong"],
    ),
    group(
        ("Taipei Standard Time", "CST"),
        ("Taipei Daylight Time", "CDT"),
        ("Taipei Time", "CT"),
        &["Asia/Taipei"],
    ),
    group(
        ("Philippine Standard Time", "PHT"),
        ("Philippine Summer Time", "PHST"),
        ("Philippine Time", "PHT"),
        &["Asia/Manila"],
    ),
    group(
        ("Australian Western Standard Time", "AWST"),
        ("Australian Western Daylight Time", "AWDT"),
        ("Western Australia Time", "AWT"),
        &["Australia/Perth"],
    ),
    group(
        ("Japan Standard Time", "JST"),
        ("Japan Daylight Time", "JDT"),
        ("Japan Time", "JT"),
        &["Asia/Tokyo", "Japan"],
    ),
    group(
        ("Korean Standard Time", "KST"),
        ("Korean Daylight Time", "KDT"),
        ("Korean Time", "KT"),
        &["Asia/Seoul", "ROK"],
    ),
    group(
        ("Australian Central Standard Time", "ACST"),
        ("Australian Central Daylight Time", "ACDT"),
        ("Central Australia Time", "ACT"),
        &["Australia/Adelaide", "Australia/Darwin"],
    ),
    group(
        ("Australian Eastern Standard Time", "AEST"),
        ("Australian Eastern Daylight Time", "AEDT"),
        ("Eastern Australia Time", "AET"),
        &[
            "Australia/Sydney",
            "Australia/Melbourne",
            "Australia/Brisbane",
            "Australia/Hobart",
            "Australia/Canberra",
            "Australia/ACT",
            "Australia/NSW",
        ],
    ),
    group(
        ("Lord Howe Standard Time", "LHST"),
        ("Lord Howe Daylight Time", "LHDT"),
        ("Lord Howe Time", "LHT"),
        &["Australia/Lord_Howe", "Australia/LHI"],
    ),
    group(
        ("New Zealand Standard Time", "NZST"),
        ("New Zealand Daylight Time", "NZDT"),
        ("New Zealand Time", "NZT"),
        &["Pacific/Auckland", "NZ", "Antarctica/McMurdo"],
    ),
    group(
        ("Iran Standard Time", "IRST"),
        ("Iran Daylight Time", "IRDT"),
        ("Iran Time", "IRT"),
        &["Asia/Tehran", "Iran"],
    ),
    group(
        ("Arabian Standard Time", "AST"),
        ("Arabian Daylight Time", "ADT"),
        ("Arabian Time", "AT"),
        &["Asia/Riyadh", "Asia/Baghdad", "Asia/Kuwait", "Asia/Qatar"],
    ),
];

/// Appends the name of a zone: generic without an instant (seconds since the epoch), else
/// standard or daylight as the zone has it then.
pub(crate) fn write_name(zone: &Zone, at: Option<i64>, style: Style, out: &mut String) {
    let id = zone.id();
    let names = GROUPS
        .iter()
        .find(|g| g.zones.contains(&&*id))
        .filter(|_| !zone.is_offset())
        .map(|g| match at {
            None => g.generic,
            Some(at) if zone.is_daylight(at) => g.daylight,
            Some(_) => g.standard,
        });
    match (names, style) {
        (Some((long, _)), Style::Full) => out.push_str(long),
        (Some((_, short)), _) => out.push_str(short),
        (None, Style::Short) => {
            let own = zone.abbreviation(at.unwrap_or(0));
            match own.filter(|a| a.starts_with(|c: char| c.is_ascii_alphabetic())) {
                Some(abbreviation) => out.push_str(&abbreviation),
                None => out.push_str(&id),
            }
        }
        (None, _) => out.push_str(&id),
    }
}

/// The zone whose name `text` begins with, and the length of that name; the longest one wins.
pub(crate) fn find(text: &str, style: Style, ignore_case: bool) -> Option<(Zone, usize)> {
    let mut best: Option<(&str, usize)> = None;
    for group in GROUPS {
        let Some(zone) = group.zones.first() else {
            continue;
        };
        for (long, short) in [group.standard, group.daylight, group.generic] {
            let name = if style == Style::Full { long } else { short };
            if starts_with(text, name, ignore_case) && best.is_none_or(|(_, l)| name.len() > l) {
                best = Some((zone, name.len()));
            }
        }
    }
    let (zone, length) = best?;
    Some((Zone::parse(zone).ok()?, length))
}
