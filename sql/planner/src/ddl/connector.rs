//! What CREATE CONNECTOR can be refused for before a worker is asked (spec/connect.md §8.3).

use weir_parser::ast::{Literal, Properties};
use weir_types::SqlError;

const CLASS: &str = "connector.class";

/// Checks the properties of a connector.
///
/// # Errors
///
/// 40000: no `connector.class`, or an empty one; a property given twice.
pub fn check_connector(name: &str, with: &Properties) -> Result<(), SqlError> {
    let refuse = |problem: String| Err(SqlError::request(format!("Validation error: {problem}")));
    for (i, property) in with.0.iter().enumerate() {
        let earlier = with.0.iter().take(i).any(|p| p.name == property.name);
        if earlier {
            return refuse(format!("{} - given more than once", property.name));
        }
    }
    match with.get(CLASS) {
        None | Some(Literal::Null) => {
            let names: Vec<&str> = with.0.iter().map(|p| p.name.as_str()).collect();
            refuse(format!(
                "Connector config of {name} with {} contains no connector type: set '{CLASS}'",
                names.join(", ")
            ))
        }
        Some(Literal::String(class)) if class.trim().is_empty() => {
            refuse("Connector type cannot be empty".to_owned())
        }
        Some(_) => Ok(()),
    }
}
