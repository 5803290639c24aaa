//! The order in which Java's `HashMap` goes through its entries. ksqlDB holds a MAP as one, so
//! this order shows in REDUCE, MAP_KEYS, MAP_VALUES, ENTRIES and CAST(… AS STRING).

use crate::value::Value;

/// `hashCode` of a key; 0 for keys that are no scalars.
fn hash_code(key: &Value) -> i32 {
    let fold = |bits: u64| (bits ^ (bits >> 32)) as i32;
    match key {
        Value::String(text) => text.encode_utf16().fold(0i32, |hash, unit| {
            hash.wrapping_mul(31).wrapping_add(i32::from(unit))
        }),
        Value::Integer(v) | Value::Date(v) | Value::Time(v) => *v,
        Value::Bigint(v) | Value::Timestamp(v) => fold(*v as u64),
        Value::Double(v) => fold(v.to_bits()),
        Value::Boolean(v) => {
            if *v {
                1231
            } else {
                1237
            }
        }
        _ => 0,
    }
}

/// The places of `keys` in the order of a `HashMap` made of them, put in one by one.
pub fn iteration_order(keys: &[Value]) -> Vec<usize> {
    // The map is made for as many entries as there are, and doubles once it is more than three
    // quarters full.
    let mut capacity = keys.len().next_power_of_two();
    if keys.len() > capacity * 3 / 4 {
        capacity *= 2;
    }
    let bucket = |key: &Value| {
        let hash = hash_code(key) as u32;
        (hash ^ (hash >> 16)) as usize & (capacity - 1)
    };
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|place| bucket(&keys[*place]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(keys: &[&str]) -> Vec<String> {
        let values: Vec<Value> = keys.iter().map(|k| Value::String((*k).into())).collect();
        iteration_order(&values)
            .into_iter()
            .map(|place| keys[place].to_owned())
            .collect()
    }

    /// Orders printed by Java.
    #[test]
    fn agrees_with_java() {
        assert_eq!(texts(&["", "한", "😀"]), ["", "한", "😀"]);
        assert_eq!(texts(&["b", "a", "c"]), ["a", "b", "c"]);
        assert_eq!(
            texts(&["Aa", "BB"]),
            ["Aa", "BB"],
            "one bucket keeps the order of insertion"
        );
        assert_eq!(texts(&["B", "a", "가", ""]), ["가", "", "a", "B"]);
        let ints: Vec<Value> = [5, 1, 4].map(Value::Integer).to_vec();
        assert_eq!(iteration_order(&ints), [2, 0, 1]);
    }
}
