//! EXPLAIN: what a query reads, writes, runs and has failed at.

use serde_json::Value;

use super::table::Table;
use super::{array, describe, heading, integer, labelled, scalar, text};

/// One query.
pub(super) fn query(out: &mut String, query: &Value, width: usize) {
    labelled(out, "ID", text(query, "id"));
    labelled(out, "Query Type", text(query, "queryType"));
    if !text(query, "statementText").is_empty() {
        labelled(out, "SQL", text(query, "statementText"));
    }
    let hosts = query.get("ksqlHostQueryStatus");
    if let Some(hosts) = hosts.filter(|h| h.as_object().is_some_and(|h| !h.is_empty())) {
        labelled(out, "Host Query Status", &crate::rows::java_text(hosts));
    }
    out.push('\n');
    describe::fields(out, query, false, width);
    names(
        out,
        array(query, "sources"),
        "Sources that this query reads from: ",
        "\nFor source description please run: DESCRIBE [EXTENDED] <SourceId>\n",
    );
    names(
        out,
        array(query, "sinks"),
        "Sinks that this query writes to: ",
        "\nFor sink description please run: DESCRIBE [EXTENDED] <SinkId>\n",
    );
    block(
        out,
        "Execution plan",
        "--------------",
        text(query, "executionPlan"),
    );
    block(
        out,
        "Processing topology",
        "-------------------",
        text(query, "topology"),
    );
    properties(out, query, width);
    errors(out, query);
}

fn names(out: &mut String, names: &[Value], title: &str, hint: &str) {
    if names.is_empty() {
        return;
    }
    heading(out, title, "-----------------------------------");
    for name in names.iter().filter_map(Value::as_str) {
        out.push_str(name);
        out.push('\n');
    }
    out.push_str(hint);
}

fn block(out: &mut String, title: &str, rule: &str, body: &str) {
    if !body.is_empty() {
        heading(out, title, rule);
        out.push_str(body);
        out.push('\n');
    }
}

fn properties(out: &mut String, query: &Value, width: usize) {
    let Some(properties) = query.get("overriddenProperties").and_then(Value::as_object) else {
        return;
    };
    if properties.is_empty() {
        return;
    }
    heading(out, "Overridden Properties", "---------------------");
    let mut table = Table::new(&["Property", "Value"]);
    for (name, value) in properties {
        table.row(vec![name.clone(), scalar(Some(value))]);
    }
    table.sort();
    table.write(out, width);
}

fn errors(out: &mut String, query: &Value) {
    for error in array(query, "queryErrors") {
        out.push('\n');
        let millis = integer(error, "timestamp");
        let second = instant(millis - millis.rem_euclid(1_000)).replace('T', " ");
        let fraction = format!(",{:03} (UTC)", millis.rem_euclid(1_000));
        let at = second.replace('Z', &fraction);
        labelled(out, "Error Date", &at);
        labelled(out, "Error Details", text(error, "errorMessage"));
        labelled(out, "Error Type", text(error, "type"));
    }
}

/// Milliseconds since 1970 as `2024-05-01T10:20:30.123Z`.
pub(super) fn instant(millis: i64) -> String {
    let days = millis.div_euclid(86_400_000);
    let rest = millis.rem_euclid(86_400_000);
    // Days to a civil date: eras of 400 years that begin on 1 March of year 0.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (seconds, fraction) = (rest / 1_000, rest % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if fraction > 0 {
        text.push_str(&format!(".{fraction:03}"));
    }
    text.push('Z');
    text
}
