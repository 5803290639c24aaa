//! Lookups by key without columns against those with columns.

use weir_parser::ast::SourceKind::{Stream, Table};
use weir_state::codec::key::write_text;
use weir_state::codec::{ColumnView, Scalar, ScalarType};

use super::*;

/// A row of columns as scalars, by way of the row codec.
fn scalars(columns: &[arrow::array::ArrayRef]) -> Vec<Scalar<'static>> {
    let mut bytes = Vec::new();
    weir_state::codec::write_row(&ColumnView::all(columns).unwrap(), 0, &mut bytes);
    let types = ScalarType::all(columns.iter().map(|column| column.data_type())).unwrap();
    let mut row = Vec::new();
    weir_state::codec::scalar::read_row(&types, &bytes, &mut row).unwrap();
    row.iter().map(Scalar::to_owned).collect()
}

#[test]
fn a_row_of_scalars_is_that_of_columns() {
    let counted = || aggregate(source("S", Stream), None);
    let swapped = vec![col("", "C"), col("", "K"), col("", "A")];
    let greater = {
        use weir_functions::operators::{Comparison, comparison};
        comparison(Comparison::Gt, &SqlType::Integer, &SqlType::Integer).unwrap()
    };
    let is_greater = greater.udf.call(vec![col("", "A"), col("", "A")]);
    let computed = vec![col("", "K"), is_greater];
    let window = WindowSpec {
        shape: WindowShapeMs::Time {
            size: 5,
            advance: 5,
        },
        grace_ms: 0,
        retention_ms: 5,
        emit_final: false,
    };
    for (plan, has_scalars) in [
        (counted(), true),
        (project(counted(), swapped), true),
        (source("S", Table), true),
        (project(counted(), computed), false),
        (table_filter(source("S", Table), col("S", "B")), false),
        (aggregate(source("S", Stream), Some(window)), false),
    ] {
        let (_, view) = crate::compile_view::view(&plan).unwrap().unwrap();
        assert_eq!(view.has_scalars(), has_scalars, "{plan}");
        if !has_scalars {
            continue;
        }
        let (mut task, _) = task(&plan, &TaskOptions::default());
        let rows: [Row; 3] = [
            (0, Some("a".into()), Some("{\"V\":4,\"B\":true}".into()), 5),
            (0, Some("é".into()), Some("{\"B\":null}".into()), 6),
            (0, Some("a".into()), Some("{\"V\":1}".into()), 9),
        ];
        task.offer(0, fetched(&rows.iter().collect::<Vec<_>>()));
        let mut out = Emitted::default();
        let limits = StepLimits {
            max_rows: 9,
            now_ms: 0,
        };
        task.step(limits, &mut out).unwrap();
        task.flush(0, &mut out).unwrap();
        let store = task.stores()[0].as_ref();
        let width = view.schema().fields().len();
        let all: Vec<usize> = (0..width).collect();
        for key in ["a", "é", "b"] {
            let mut bytes = Vec::new();
            write_text(key, &mut bytes);
            let (columns, count) = view.read_key(store, &bytes).unwrap();
            let row = view.read_scalars(store, &bytes, &all).unwrap();
            assert_eq!(count, usize::from(key != "b"), "{plan}");
            assert_eq!(row, (count == 1).then(|| scalars(&columns)), "{plan}");
            let last = view.read_scalars(store, &bytes, &[width - 1]).unwrap();
            let time = row.map(|row| row[width - 1..].to_vec());
            assert_eq!(last, time, "{plan}");
        }
        assert!(view.read_scalars(store, &[9], &all).unwrap().is_none());
    }
}
