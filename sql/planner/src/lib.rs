//! Analysis and type rules: from a syntax tree to a DataFusion logical plan with stream nodes.
