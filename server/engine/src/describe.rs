//! The operator tree of a compiled query as text, for EXPLAIN.
//!
//! ```text
//!  Sub-topology 0
//!    Repartition: [V] topic=Aggregate-GroupBy-repartition format=KAFKA
//!      Filter: S.N > Int32(3)
//!        Input: stream topic s
//!  Sub-topology 1
//!    Sink: …
//! ```

use std::fmt::Write;

use datafusion::logical_expr::LogicalPlan;

use crate::api::{InputSpec, TopicName};
use crate::task::{NodeInput, Part};

/// Names the nodes of a part that have no name yet after the plan node that they were made of.
pub(crate) fn label(part: &mut Part, plan: &LogicalPlan) {
    label_as(part, &plan.display().to_string());
}

/// Names the nodes of a part that have no name yet.
pub(crate) fn label_as(part: &mut Part, text: &str) {
    for node in part.nodes.iter_mut().filter(|node| node.label.is_empty()) {
        text.clone_into(&mut node.label);
    }
}

/// The operators of each part, what is nearest to the output first.
pub(crate) fn operators(parts: &[Part]) -> String {
    let mut out = String::new();
    for (number, part) in parts.iter().enumerate() {
        line(&mut out, 0, &format!("Sub-topology {number}"));
        let read = |node: usize| {
            part.nodes
                .iter()
                .any(|other| other.inputs.contains(&NodeInput::Node(node)))
        };
        for root in (0..part.nodes.len()).filter(|node| !read(*node)) {
            subtree(part, NodeInput::Node(root), 1, &mut out);
        }
    }
    out
}

fn subtree(part: &Part, at: NodeInput, depth: usize, out: &mut String) {
    match at {
        NodeInput::Input(index) => {
            if let Some(input) = part.inputs.get(index) {
                line(out, depth, &input_text(input));
            }
        }
        NodeInput::Node(index) => {
            let Some(node) = part.nodes.get(index) else {
                return;
            };
            line(out, depth, &node.label);
            for input in &node.inputs {
                subtree(part, *input, depth + 1, out);
            }
        }
    }
}

fn input_text(input: &InputSpec) -> String {
    let kind = if input.is_table { "table" } else { "stream" };
    match &input.topic {
        TopicName::User(name) => format!("Input: {kind} topic={name}"),
        TopicName::Internal(suffix) => format!("Input: {kind} topic={suffix} (internal)"),
    }
}

/// A line; a text of several becomes one.
fn line(out: &mut String, depth: usize, text: &str) {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // Writing to a text cannot fail.
    let _ = writeln!(out, "{:indent$}{text}", "", indent = depth * 2);
}
