//! Nanoseconds per record of decoding and encoding the order record of the benchmark.
//!
//! ```sh
//! cargo run --release -p weir-formats --example json_speed
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use weir_formats::{Side, decoder, encoder};
use weir_types::records::EncodedColumn;
use weir_types::{FormatKind, FormatSpec, SqlType, ValueFormat};

/// Records in one batch, and how often it is read.
const RECORDS: usize = 1024;
const ROUNDS: usize = 400;

/// An order as the benchmark's generator writes it.
fn order(i: usize) -> String {
    let cents = 99 + i * 7919 % 49_900;
    format!(
        "{{\"order_id\":{i},\"item_id\":\"item_{:05}\",\"quantity\":{},\"price\":{}.{:02},\
         \"status\":\"DELIVERED\",\"currency\":\"EUR\",\"address\":\"{} Harbour Street, Visby\",\
         \"ts\":{}}}",
        i * 31 % 10_000,
        1 + i % 10,
        cents / 100,
        cents % 100,
        1 + i % 300,
        1_700_000_000_000i64 + i as i64 * 10
    )
}

/// Best time of some rounds, in nanoseconds per record.
fn best(mut round: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        round()?;
        best = best.min(start.elapsed().as_nanos() as f64 / RECORDS as f64);
    }
    Ok(best)
}

fn main() -> Result<(), Box<dyn Error>> {
    let columns: Vec<(String, SqlType)> = [
        ("ORDER_ID", SqlType::Bigint),
        ("ITEM_ID", SqlType::String),
        ("QUANTITY", SqlType::Integer),
        ("PRICE", SqlType::Double),
        ("STATUS", SqlType::String),
        ("CURRENCY", SqlType::String),
        ("ADDRESS", SqlType::String),
        ("TS", SqlType::Bigint),
    ]
    .map(|(name, sql_type)| (name.to_owned(), sql_type))
    .into();
    let format = ValueFormat {
        format: FormatSpec::new(FormatKind::Json),
        wrap_single: None,
    };
    let records: Vec<String> = (0..RECORDS).map(|i| order(1_000_000 + i)).collect();
    let bytes: usize = records.iter().map(String::len).sum();
    println!("{} bytes per record", bytes / RECORDS);

    let all: Vec<usize> = (0..columns.len()).collect();
    for (what, projection) in [("8 columns", &all[..]), ("3 of 8 columns", &[0, 3, 7][..])] {
        let mut decoder = decoder(&format, Side::Value, &columns, projection)?;
        let nanos = best(|| {
            for record in &records {
                decoder.decode(Some(record.as_bytes()))?;
            }
            black_box(decoder.finish());
            Ok(())
        })?;
        println!("decode {what}: {nanos:.0} ns per record");
    }

    let mut decoder = decoder(&format, Side::Value, &columns, &all)?;
    for record in &records {
        decoder.decode(Some(record.as_bytes()))?;
    }
    let arrays = decoder.finish();
    let mut encoder = encoder(&format, Side::Value, &columns)?;
    let mut out = EncodedColumn::default();
    let nanos = best(|| {
        out.clear();
        encoder.encode(&arrays, None, &mut out)?;
        black_box(&out);
        Ok(())
    })?;
    println!("encode 8 columns: {nanos:.0} ns per record");
    Ok(())
}
