//! Statements (spec/sql.md §2), by their first word.

use weir_types::SqlError;

use super::Parser;
use crate::ast::{Literal, Properties, QueryTarget, SourceKind, Statement, TimeSpan};
use crate::error::{self, IDENTIFIER};
use crate::lexer::{Symbol, TokenKind};

/// Words that begin statements, SELECT apart.
const FIRST_WORDS: &[&str] = &[
    "CREATE",
    "INSERT",
    "DROP",
    "ALTER",
    "TERMINATE",
    "PAUSE",
    "RESUME",
    "LIST",
    "SHOW",
    "DESCRIBE",
    "EXPLAIN",
    "PRINT",
    "SET",
    "UNSET",
    "DEFINE",
    "UNDEFINE",
    "ASSERT",
];

impl Parser<'_> {
    /// One statement without its semicolon.
    pub(super) fn statement(&mut self) -> Result<Statement, SqlError> {
        let word = match &self.peek().kind {
            TokenKind::Word(word) => word.to_ascii_uppercase(),
            _ => String::new(),
        };
        if word == "SELECT" {
            return self.query().map(Statement::Query);
        }
        if !FIRST_WORDS.contains(&word.as_str()) {
            return Err(error::unknown_statement(self.source, self.peek()));
        }
        self.advance();
        match word.as_str() {
            "CREATE" => self.create_any(),
            "INSERT" => self.insert(),
            "DROP" => self.drop_any(),
            "ALTER" => self.alter(),
            "TERMINATE" => self.query_target().map(Statement::Terminate),
            "PAUSE" => self.query_target().map(Statement::Pause),
            "RESUME" => self.query_target().map(Statement::Resume),
            "DESCRIBE" => self.describe(),
            "EXPLAIN" => self.explain(),
            "PRINT" => self.print(),
            "SET" => {
                let (name, value) = self.assignment()?;
                Ok(Statement::Set { name, value })
            }
            "UNSET" => Ok(Statement::Unset {
                name: self.string()?,
            }),
            "DEFINE" => {
                let name = self.variable_name()?;
                self.expect_symbol(Symbol::Eq)?;
                Ok(Statement::Define {
                    name,
                    value: self.string()?,
                })
            }
            "UNDEFINE" => Ok(Statement::Undefine {
                name: self.variable_name()?,
            }),
            "ASSERT" => self.assert(),
            _ => self.list(),
        }
    }

    fn create_any(&mut self) -> Result<Statement, SqlError> {
        let or_replace = self.eat_keyword("OR");
        if or_replace {
            self.expect_keyword("REPLACE")?;
        }
        let read_only = self.is_keyword("SOURCE") && !self.is_keyword_at(1, "CONNECTOR");
        if read_only {
            self.advance();
        }
        if let Some(kind) = self.source_kind() {
            return self.create(kind, or_replace, read_only);
        }
        let expected: &[&str] = if read_only || or_replace {
            &["'STREAM'", "'TABLE'"]
        } else {
            if self.eat_keyword("TYPE") {
                let if_not_exists = self.if_not_exists()?;
                let name = self.identifier()?;
                self.expect_keyword("AS")?;
                let type_name = self.type_name()?;
                return Ok(Statement::CreateType {
                    if_not_exists,
                    name,
                    type_name,
                });
            }
            for scope in ["SOURCE", "SINK"] {
                if self.eat_keyword(scope) {
                    self.expect_keyword("CONNECTOR")?;
                    let if_not_exists = self.if_not_exists()?;
                    let name = self.identifier()?;
                    self.expect_keyword("WITH")?;
                    let with = self.properties(false)?;
                    return Ok(Statement::CreateConnector {
                        scope,
                        if_not_exists,
                        name,
                        with,
                    });
                }
            }
            &[
                "'STREAM'", "'TABLE'", "'SOURCE'", "'SINK'", "'TYPE'", "'OR'",
            ]
        };
        Err(self.fail(expected))
    }

    /// STREAM or TABLE, if it comes next.
    fn source_kind(&mut self) -> Option<SourceKind> {
        if self.eat_keyword("STREAM") {
            Some(SourceKind::Stream)
        } else if self.eat_keyword("TABLE") {
            Some(SourceKind::Table)
        } else {
            None
        }
    }

    fn insert(&mut self) -> Result<Statement, SqlError> {
        self.expect_keyword("INTO")?;
        let target = self.source_name()?;
        if self.is_keyword("SELECT") || self.is_keyword("WITH") {
            let with = if self.eat_keyword("WITH") {
                self.properties(true)?
            } else {
                Properties::default()
            };
            let query = self.query()?;
            return Ok(Statement::InsertSelect {
                target,
                with,
                query,
            });
        }
        let declares = self.eat_symbol(Symbol::LeftParen);
        let columns = if declares {
            self.comma_separated(Symbol::RightParen, Self::identifier)?
        } else {
            Vec::new()
        };
        if !self.eat_keyword("VALUES") {
            return Err(if declares {
                self.fail(&["'VALUES'"])
            } else {
                self.fail(&["'('", "'VALUES'", "'SELECT'", "'WITH'"])
            });
        }
        self.expect_symbol(Symbol::LeftParen)?;
        let values = if self.eat_symbol(Symbol::RightParen) {
            Vec::new()
        } else {
            self.comma_separated(Symbol::RightParen, Self::value_expression)?
        };
        Ok(Statement::InsertValues {
            target,
            columns,
            values,
        })
    }

    fn drop_any(&mut self) -> Result<Statement, SqlError> {
        if let Some(kind) = self.source_kind() {
            let if_exists = self.if_exists()?;
            let name = self.source_name()?;
            let delete_topic = self.eat_keyword("DELETE");
            if delete_topic {
                self.expect_keyword("TOPIC")?;
            }
            return Ok(Statement::DropSource {
                kind,
                if_exists,
                name,
                delete_topic,
            });
        }
        if self.eat_keyword("TYPE") {
            let if_exists = self.if_exists()?;
            return Ok(Statement::DropType {
                if_exists,
                name: self.identifier()?,
            });
        }
        if self.eat_keyword("CONNECTOR") {
            let if_exists = self.if_exists()?;
            return Ok(Statement::DropConnector {
                if_exists,
                name: self.identifier()?,
            });
        }
        Err(self.fail(&["'STREAM'", "'TABLE'", "'TYPE'", "'CONNECTOR'"]))
    }

    /// IF EXISTS, if it comes next. IF alone may be a name.
    fn if_exists(&mut self) -> Result<bool, SqlError> {
        Ok(self.eat_keywords(&["IF", "EXISTS"]))
    }

    fn alter(&mut self) -> Result<Statement, SqlError> {
        if self.eat_keyword("SYSTEM") {
            let (name, value) = self.assignment()?;
            return Ok(Statement::AlterSystem { name, value });
        }
        let Some(kind) = self.source_kind() else {
            return Err(self.fail(&["'STREAM'", "'TABLE'", "'SYSTEM'"]));
        };
        let name = self.source_name()?;
        let mut add = Vec::new();
        loop {
            self.expect_keyword("ADD")?;
            // A column may itself be called COLUMN: then its type comes next, and nothing more.
            let ends =
                self.is_symbol_at(2, Symbol::Comma) || self.is_symbol_at(2, Symbol::Semicolon);
            if !ends && self.is_identifier_at(1) {
                self.eat_keyword("COLUMN");
            }
            add.push(self.plain_column()?);
            if !self.eat_symbol(Symbol::Comma) {
                break;
            }
        }
        Ok(Statement::AlterSource { kind, name, add })
    }

    fn query_target(&mut self) -> Result<QueryTarget, SqlError> {
        if self.eat_keyword("ALL") {
            return Ok(QueryTarget::All);
        }
        if !self.is_identifier_at(0) {
            return Err(self.fail(&["'ALL'", IDENTIFIER]));
        }
        Ok(QueryTarget::Id(self.query_id()?))
    }

    fn query_id(&mut self) -> Result<String, SqlError> {
        Ok(self.identifier()?.name.to_uppercase())
    }

    fn list(&mut self) -> Result<Statement, SqlError> {
        if self.eat_keyword("STREAMS") {
            return Ok(Statement::ListStreams {
                extended: self.eat_keyword("EXTENDED"),
            });
        }
        if self.eat_keyword("TABLES") {
            return Ok(Statement::ListTables {
                extended: self.eat_keyword("EXTENDED"),
            });
        }
        if self.is_keyword("TOPICS") || self.is_keyword("ALL") {
            let all = self.eat_keyword("ALL");
            self.expect_keyword("TOPICS")?;
            return Ok(Statement::ListTopics {
                all,
                extended: self.eat_keyword("EXTENDED"),
            });
        }
        if self.eat_keyword("QUERIES") {
            return Ok(Statement::ListQueries {
                extended: self.eat_keyword("EXTENDED"),
            });
        }
        for scope in ["SOURCE", "SINK"] {
            if self.eat_keyword(scope) {
                self.expect_keyword("CONNECTORS")?;
                return Ok(Statement::ListConnectors { scope: Some(scope) });
            }
        }
        if self.eat_keyword("CONNECTOR") {
            self.expect_keyword("PLUGINS")?;
            return Ok(Statement::ListConnectorPlugins);
        }
        for (word, statement) in [
            ("PROPERTIES", Statement::ListProperties),
            ("FUNCTIONS", Statement::ListFunctions),
            ("TYPES", Statement::ListTypes),
            ("VARIABLES", Statement::ListVariables),
            ("CONNECTORS", Statement::ListConnectors { scope: None }),
        ] {
            if self.eat_keyword(word) {
                return Ok(statement);
            }
        }
        Err(self.fail(&[
            "'STREAMS'",
            "'TABLES'",
            "'TOPICS'",
            "'ALL'",
            "'QUERIES'",
            "'PROPERTIES'",
            "'FUNCTIONS'",
            "'TYPES'",
            "'VARIABLES'",
            "'SOURCE'",
            "'SINK'",
            "'CONNECTORS'",
            "'CONNECTOR'",
        ]))
    }

    fn describe(&mut self) -> Result<Statement, SqlError> {
        if self.eat_keyword("STREAMS") {
            return Ok(Statement::DescribeStreams {
                extended: self.eat_keyword("EXTENDED"),
            });
        }
        if self.eat_keyword("CONNECTOR") {
            return Ok(Statement::DescribeConnector {
                name: self.identifier()?,
            });
        }
        // TABLES and FUNCTION may also be names of sources.
        if self.is_keyword("FUNCTION") && self.is_identifier_at(1) {
            self.advance();
            return Ok(Statement::DescribeFunction {
                name: self.identifier()?,
            });
        }
        if self.eat_keyword("TABLES") {
            return Ok(Statement::DescribeTables {
                extended: self.eat_keyword("EXTENDED"),
            });
        }
        if !self.is_identifier_at(0) {
            return Err(self.fail(&[
                IDENTIFIER,
                "'STREAMS'",
                "'TABLES'",
                "'FUNCTION'",
                "'CONNECTOR'",
            ]));
        }
        let name = self.source_name()?;
        Ok(Statement::DescribeSource {
            name,
            extended: self.eat_keyword("EXTENDED"),
        })
    }

    fn explain(&mut self) -> Result<Statement, SqlError> {
        // A word that begins no statement can only be an id, whatever follows.
        let begins = self.is_keyword("SELECT") || FIRST_WORDS.iter().any(|w| self.is_keyword(w));
        if self.is_identifier_at(0) && (!begins || self.ends_at(1)) {
            return Ok(Statement::ExplainQuery {
                id: self.identifier()?.name,
            });
        }
        let start = self.here();
        if self.ends_at(0) {
            return Err(self.fail(&[IDENTIFIER, "'SELECT'", "'CREATE'", "'INSERT'"]));
        }
        let statement = Box::new(self.nested(Self::statement)?);
        let span = self.span_from(start);
        let text = self
            .source
            .get(span.start..span.end)
            .unwrap_or_default()
            .to_owned();
        Ok(Statement::ExplainStatement { statement, text })
    }

    fn ends_at(&self, ahead: usize) -> bool {
        self.is_symbol_at(ahead, Symbol::Semicolon) || self.peek_at(ahead).kind == TokenKind::End
    }

    fn print(&mut self) -> Result<Statement, SqlError> {
        let topic = self.resource_name()?;
        let from_beginning = self.eat_keyword("FROM");
        if from_beginning {
            self.expect_keyword("BEGINNING")?;
        }
        let interval = match self.eat_keyword("INTERVAL") || self.eat_keyword("SAMPLE") {
            true => Some(self.integer("INTERVAL")?),
            false => None,
        };
        let limit = self.limit()?;
        Ok(Statement::Print {
            topic,
            from_beginning,
            interval,
            limit,
        })
    }

    /// `'name' = 'value'`.
    fn assignment(&mut self) -> Result<(String, String), SqlError> {
        let name = self.string()?;
        self.expect_symbol(Symbol::Eq)?;
        Ok((name, self.string()?))
    }

    /// Name of a variable, as written: it starts with no digit and has no quotes.
    fn variable_name(&mut self) -> Result<String, SqlError> {
        match self.peek().kind {
            TokenKind::Word(_) => Ok(self.identifier_as_written()?.name),
            _ => Err(self.fail(&[IDENTIFIER])),
        }
    }

    fn assert(&mut self) -> Result<Statement, SqlError> {
        let not_exists = self.eat_keyword("NOT");
        if not_exists {
            self.expect_keyword("EXISTS")?;
        }
        if self.eat_keyword("TOPIC") {
            let topic = self.resource_name()?;
            let with = if self.eat_keyword("WITH") {
                self.properties(true)?
            } else {
                Properties::default()
            };
            let timeout = self.timeout()?;
            return Ok(Statement::AssertTopic {
                not_exists,
                topic,
                with,
                timeout,
            });
        }
        let start = self.here();
        if !self.eat_keyword("SCHEMA") {
            let expected: &[&str] = if not_exists {
                &["'TOPIC'", "'SCHEMA'"]
            } else {
                &["'NOT'", "'TOPIC'", "'SCHEMA'"]
            };
            return Err(self.fail(expected));
        }
        let subject = match self.eat_keyword("SUBJECT") {
            true => Some(self.resource_name()?),
            false => None,
        };
        let id = if self.eat_keyword("ID") {
            let at = self.here();
            match self.literal()? {
                Literal::Integer(id) => Some(id),
                _ => return Err(error::prepare(at, "ID must be an integer")),
            }
        } else {
            None
        };
        if subject.is_none() && id.is_none() {
            return Err(error::prepare(
                start,
                "ASSERT SCHEMA statements need a subject or an id: add SUBJECT name or ID number",
            ));
        }
        let timeout = self.timeout()?;
        Ok(Statement::AssertSchema {
            not_exists,
            subject,
            id,
            timeout,
        })
    }

    fn timeout(&mut self) -> Result<Option<TimeSpan>, SqlError> {
        if self.eat_keyword("TIMEOUT") {
            self.time_span("TIMEOUT").map(Some)
        } else {
            Ok(None)
        }
    }
}
