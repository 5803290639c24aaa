//! Connector statements (spec/connect.md §8): read and checked, but not run: this server neither
//! runs connectors nor calls a Kafka Connect worker.

use weir_parser::Parsed;
use weir_parser::ast::Statement;
use weir_parser::printer::mask_connector;
use weir_planner::ddl;
use weir_protocol::ApiError;
use weir_types::ErrorCode;

use crate::weir::Weir;

/// The answer to a connector statement: that no worker can be asked, as ksqlDB words it, and what
/// would be wrong with the statement even so. Values of properties are not repeated: they hold
/// passwords.
pub(super) fn refusal(weir: &Weir, parsed: &Parsed) -> ApiError {
    let url = weir.config.value("ksql.connect.url");
    let url = url.as_deref().unwrap_or("http://localhost:8083");
    let mut message = format!(
        "No Kafka Connect worker can be asked at {url}: this server does not run connector \
         statements yet.\nCaused by: Could not connect to the server. Please check the server \
         details are correct and that the server is running."
    );
    let mut text = parsed.text.clone();
    if let Statement::CreateConnector { name, with, .. } = &parsed.statement {
        text = mask_connector(&parsed.statement);
        if let Err(problem) = ddl::check_connector(&name.name, with) {
            message.push_str(&format!(
                "\nThe statement needs mending too: {}",
                problem.message
            ));
        }
    }
    ApiError::statement(ErrorCode::ServerError, message, text)
}
