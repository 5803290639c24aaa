//! The plan of a query, and the extension nodes that streams need.
//!
//! ```text
//!  Source ─► Filter / TableFilter ─► Repartition ─► Aggregate ─► TableFilter ─► Projection ─► Sink
//!     └────► StreamTableJoin ◄─ Source (table)
//! ```
//!
//! Every node's output is an ordinary DataFusion schema. A row has more than its columns: a
//! timestamp, headers, a sequence number, whether its value is null, for tables the row before
//! the change; these travel beside the columns (engine `Batch`) and no node names them. ROWTIME,
//! ROWPARTITION, ROWOFFSET, WINDOWSTART, WINDOWEND and header columns are ordinary columns of
//! [`Source`] where something reads them.
//!
//! Native DataFusion nodes: `Projection` (streams and tables alike) and `Filter` (streams only).
//! Everything else is a [`StreamNode`] in a `LogicalPlan::Extension`.

use datafusion::logical_expr::LogicalPlan;
use weir_parser::ast::SourceKind;
use weir_types::{Schema, WindowInfo};

use crate::ddl::QueryResult;

mod aggregate;
mod join;
mod node;
mod rekey;
mod sink;
mod source;

pub use aggregate::{Aggregate, AggregateCall, WindowShapeMs, WindowSpec};
pub use join::{
    ForeignKeyJoin, JoinInputs, JoinType, StreamStreamJoin, StreamTableJoin, TableTableJoin,
};
pub use rekey::{FlatMap, Materialize, Repartition, SelectKey, TableFilter};
pub use sink::{Output, Sink};
pub use source::{Source, SourceColumn};

/// A planned query.
#[derive(Debug, Clone)]
pub struct QueryPlan {
    /// The root: [`StreamNode::Sink`] of a persistent query, [`StreamNode::Output`] of a push one.
    pub root: LogicalPlan,
    /// Columns of the result: of a persistent query keys first; of a push query in the order of
    /// SELECT and none of them a key ([`Output::key`] tells).
    pub schema: Schema,
    /// Stream or table.
    pub kind: SourceKind,
    /// Window in the result's key.
    pub window: Option<WindowInfo>,
    /// How long windows are kept, ms: the least retention of a windowed sink's topic.
    pub retention_ms: Option<i64>,
    /// Names of the sources read, left to right, each once.
    pub sources: Vec<String>,
    /// LIMIT of a push query.
    pub limit: Option<i64>,
}

impl QueryPlan {
    /// What the sink of CREATE … AS is resolved from.
    pub fn result(&self) -> QueryResult<'_> {
        QueryResult {
            schema: &self.schema,
            kind: self.kind,
            window: self.window,
        }
    }
}

/// All extension nodes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StreamNode {
    /// See [`Source`].
    Source(Source),
    /// See [`TableFilter`].
    TableFilter(TableFilter),
    /// See [`SelectKey`].
    SelectKey(SelectKey),
    /// See [`Repartition`].
    Repartition(Repartition),
    /// See [`Aggregate`].
    Aggregate(Aggregate),
    /// See [`FlatMap`].
    FlatMap(FlatMap),
    /// See [`StreamTableJoin`].
    StreamTableJoin(StreamTableJoin),
    /// See [`StreamStreamJoin`].
    StreamStreamJoin(StreamStreamJoin),
    /// See [`TableTableJoin`].
    TableTableJoin(TableTableJoin),
    /// See [`ForeignKeyJoin`].
    ForeignKeyJoin(ForeignKeyJoin),
    /// See [`Materialize`].
    Materialize(Materialize),
    /// See [`Sink`].
    Sink(Sink),
    /// See [`Output`].
    Output(Output),
}
