#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use serde_json::json;

use super::*;

/// Entity, expected text without a terminal.
fn check(entity: Value, expected: &str) {
    let got = entities(std::slice::from_ref(&entity), 0);
    assert_eq!(got, expected, "{entity}");
}

#[test]
fn lists_are_sorted_tables() {
    check(
        json!({"@type": "streams", "statementText": "LIST STREAMS;", "warnings": [], "streams": [
            {"type": "STREAM", "name": "ZEBRAS", "topic": "z", "keyFormat": "KAFKA", "valueFormat": "AVRO", "isWindowed": true},
            {"type": "STREAM", "name": "ANTS", "topic": "ants", "keyFormat": "NONE", "valueFormat": "JSON", "isWindowed": false}]}),
        "
 Stream Name | Kafka Topic | Key Format | Value Format | Windowed 

 ANTS        | ants        | NONE       | JSON         | false    
 ZEBRAS      | z           | KAFKA      | AVRO         | true     

",
    );
    check(
        json!({"@type": "type_list", "types": {"P": {"type": "STRUCT", "fields": [
            {"name": "L", "schema": {"type": "ARRAY", "fields": null, "memberSchema": {"type": "STRING"}}},
            {"name": "D", "schema": {"type": "DECIMAL", "parameters": {"precision": 9, "scale": 3}}}]},
            "M": {"type": "MAP", "memberSchema": {"type": "BIGINT"}}}}),
        "
 Type Name | Schema                                            

 M         | MAP<STRING, BIGINT>                               
 P         | STRUCT<L ARRAY<VARCHAR(STRING)>, D DECIMAL(9, 3)> 

",
    );
}

#[test]
fn rules_are_as_wide_as_the_table_or_the_terminal() {
    let entity = json!({"@type": "kafka_topics", "topics": [
        {"name": "orders", "replicaInfo": [3, 3]},
        {"name": "odd", "replicaInfo": [1, 2]}]});
    let head = " Kafka Topic | Partitions | Partition Replicas \n";
    let rows = " orders      | 2          | 3                  \n odd         | 2          | 1, 2               \n";
    for (width, rule) in [(0, 0), (20, 20), (200, 47)] {
        let rule = "-".repeat(rule);
        let expected = format!("\n{head}{rule}\n{rows}{rule}\n");
        assert_eq!(entities(std::slice::from_ref(&entity), width), expected);
    }
}

#[test]
fn several_entities_show_their_statements() {
    let list = [
        json!({"@type": "warning_entity", "statementText": "A;", "message": "done before",
               "warnings": [{"message": "old syntax"}]}),
        json!({"@type": "assert_topic", "statementText": "B;", "topicName": "t", "exists": false}),
    ];
    assert_eq!(
        entities(&list, 0),
        "\nA;\n Message     \n\n done before \n\nWARNING: old syntax\n\nB;\nTopic t does not exist.\n"
    );
}

#[test]
fn queries_are_shown_on_one_line_each() {
    check(
        json!({"@type": "queries", "queries": [{
            "queryString": "CREATE STREAM B AS SELECT\n  A.X X\nFROM A A;", "sinks": ["B"],
            "sinkKafkaTopics": ["b"], "id": "CSAS_B_1",
            "statusCount": {"RUNNING": 2, "ERROR": 1}, "queryType": "PERSISTENT", "state": "ERROR"}]}),
        "
 Query ID | Query Type | Status            | Sink Name | Sink Kafka Topic | Query String                                

 CSAS_B_1 | PERSISTENT | RUNNING:2,ERROR:1 | B         | b                | CREATE STREAM B AS SELECT   A.X X FROM A A; 

For detailed information on a Query run: EXPLAIN <Query ID>;
",
    );
}

#[test]
fn properties_say_where_they_were_set() {
    check(
        json!({"@type": "properties", "overwrittenProperties": ["b"], "defaultProperties": ["a", "d"], "properties": [
            {"name": "d", "scope": "KSQL", "value": ""},
            {"name": "c", "scope": "KSQL", "value": "3"},
            {"name": "b", "scope": "KSQL", "value": "2"},
            {"name": "a", "scope": "KSQL", "value": null}]}),
        "
 Property | Scope | Default override | Effective Value 

 a        | KSQL  |                  | NULL            
 b        | KSQL  | SESSION          | 2               
 c        | KSQL  | SERVER           | 3               
 d        | KSQL  |                  |                 

",
    );
}

#[test]
fn keys_headers_and_windows_stand_behind_the_type() {
    let field = |name: &str, kind: Option<&str>, key: Option<&str>| {
        let mut field = json!({"name": name, "schema": {"type": "BIGINT"}});
        if let Some(kind) = kind {
            field["type"] = json!(kind);
        }
        if let Some(key) = key {
            field["headerKey"] = json!(key);
        }
        field
    };
    for (source, window, expected) in [
        ("STREAM", json!(null), "BIGINT           (key)"),
        ("TABLE", json!(null), "BIGINT           (primary key)"),
        (
            "TABLE",
            json!("SESSION"),
            "BIGINT           (primary key) (Window type: SESSION)",
        ),
    ] {
        let entity = json!({"@type": "sourceDescription", "sourceDescription": {
            "name": "S", "type": source, "windowType": window, "extended": false, "fields": [
            field("K", Some("KEY"), None), field("V", None, None),
            field("H", Some("HEADER"), None), field("I", Some("HEADER"), Some("id"))]}});
        let got = entities(&[entity], 0);
        let cells: Vec<&str> = got
            .lines()
            .filter_map(|l| l.split_once('|'))
            .map(|(_, kind)| kind.trim())
            .collect();
        assert_eq!(
            cells,
            [
                "Type",
                expected,
                "BIGINT",
                "BIGINT           (headers)",
                "BIGINT           (header('id'))"
            ]
        );
    }
}

#[test]
fn an_extended_description_has_all_its_parts_in_order() {
    check(
        json!({"@type": "sourceDescription", "sourceDescription": {
            "name": "T", "type": "TABLE", "windowType": null, "extended": true, "fields": [],
            "timestamp": "TS", "keyFormat": "KAFKA", "valueFormat": "JSON", "topic": "t",
            "partitions": 0, "replication": 0, "statement": "CREATE TABLE T …;",
            "sourceConstraints": ["U"], "readQueries": [
                {"id": "CTAS_U_3", "state": "RUNNING", "queryString": "CREATE\nTABLE U …;"}],
            "writeQueries": [], "clusterStatistics": [], "clusterErrorStats": [],
            "statistics": "s", "errorStats": "",
            "queryOffsetSummaries": [{"groupId": "g", "topicSummaries": [{"kafkaTopic": "t",
                "offsets": [{"partition": 0, "logStartOffset": 1, "logEndOffset": 9, "consumerOffset": 4}]}]},
                {"groupId": "h", "topicSummaries": []}]}}),
        "
Name                 : T
Type                 : TABLE
Timestamp field      : TS
Key format           : KAFKA
Value format         : JSON
Kafka topic          : t
Statement            : CREATE TABLE T …;


Sources that have a DROP constraint on this source
--------------------------------------------------
U

Queries that read from this TABLE
-----------------------------------
CTAS_U_3 (RUNNING) : CREATE TABLE U …;

For query topology and execution plan please run: EXPLAIN <QueryId>

Local runtime statistics
------------------------
s

(Statistics of the local KSQL server interaction with the Kafka topic t)

Consumer Groups summary:

Consumer Group       : g

Kafka topic          : t
Max lag              : 5

 Partition | Start Offset | End Offset | Offset | Lag 

 0         | 1            | 9          | 4      | 5   


Consumer Group       : h
<no offsets committed by this group yet>
",
    );
}

#[test]
fn statistics_are_sorted_by_host_and_metric() {
    let entity = json!({"@type": "source_descriptions", "sourceDescriptions": [{
        "name": "S", "type": "STREAM", "extended": true, "topic": "s", "clusterErrorStats": [],
        "clusterStatistics": [
            {"name": "z", "host": "a:1", "value": 2.6, "timestamp": 1_700_000_000_000_i64},
            {"name": "b", "host": "a:1", "value": 12345.0, "timestamp": 1_709_210_096_789_i64}]}]});
    let got = entities(&[entity], 0);
    assert!(
        got.contains(
            " a:1  | b      |      12345 | 2024-02-29T12:34:56.789Z \n a:1  | z      |          3 | 2023-11-14T22:13:20Z     \n"
        ),
        "{got}"
    );
    assert!(got.ends_with("topic s)\n\n"), "{got}");
}

#[test]
fn explanations_have_all_their_parts_in_order() {
    check(
        json!({"@type": "queryDescription", "queryDescription": {
            "id": "Q_1", "statementText": "INSERT INTO B SELECT * FROM A;", "windowType": null,
            "fields": [{"name": "X", "schema": {"type": "DATE"}, "type": "KEY"}],
            "sources": ["A"], "sinks": ["B"], "topology": "topo", "executionPlan": "plan",
            "overriddenProperties": {"p": "1"}, "ksqlHostQueryStatus": {"h:1": "RUNNING"},
            "queryType": "PERSISTENT",
            "queryErrors": [{"timestamp": 0, "errorMessage": "bad", "type": "USER"}]}}),
        "
ID                   : Q_1
Query Type           : PERSISTENT
SQL                  : INSERT INTO B SELECT * FROM A;
Host Query Status    : {h:1=RUNNING}

 Field | Type                   

 X     | DATE             (key) 


Sources that this query reads from: 
-----------------------------------
A

For source description please run: DESCRIBE [EXTENDED] <SourceId>

Sinks that this query writes to: 
-----------------------------------
B

For sink description please run: DESCRIBE [EXTENDED] <SinkId>

Execution plan      
--------------      
plan

Processing topology 
------------------- 
topo

Overridden Properties
---------------------
 Property | Value 

 p        | 1     


Error Date           : 1970-01-01 00:00:00,000 (UTC)
Error Details        : bad
Error Type           : USER
",
    );
}

#[test]
fn functions_are_grouped_by_category() {
    check(
        json!({"@type": "function_names", "functions": [
            {"name": "SIN", "type": "SCALAR", "category": "MATH"},
            {"name": "SUM", "type": "AGGREGATE", "category": "AGGREGATE"},
            {"name": "ABS", "type": "SCALAR", "category": "MATH"}]}),
        "
 Function Name | Category  

 SUM           | AGGREGATE 
               |           
 ABS           | MATH      
 SIN           | MATH      

For detailed information about a function, run: DESCRIBE FUNCTION <Function Name>;
",
    );
}

#[test]
fn descriptions_of_functions_hang_under_their_labels() {
    let words = ["word"; 20].join(" ");
    check(
        json!({"@type": "describe_function", "name": "F", "author": "", "version": "2",
            "description": words, "type": "SCALAR", "path": "internal", "functions": [
            {"arguments": [{"name": "x", "type": "INT", "description": "first\nsecond", "isVariadic": false},
                           {"name": "", "type": "T", "description": "", "isVariadic": true}],
             "returnType": "INT", "description": ""}]}),
        "
Name        : F
Version     : 2
Overview    : word word word word word word word word word word word word word 
              word word word word word word word
Type        : SCALAR
Jar         : internal
Variations  : 

\tVariation   : F(x INT, T[])
\tReturns     : INT
\tx           : first
                second
",
    );
}

#[test]
fn results_of_one_line_are_messages() {
    for (entity, message) in [
        (
            json!({"@type": "currentStatus", "commandStatus": {"status": "SUCCESS", "message": "Stream created\nmore"}}),
            "Stream created",
        ),
        (
            json!({"@type": "terminate_query", "queryId": "q", "wasTerminated": true}),
            "Terminated query \"q\"",
        ),
        (
            json!({"@type": "connector_info", "info": {"name": "c"}}),
            "Created connector c",
        ),
        (
            json!({"@type": "drop_connector", "connectorName": "c"}),
            "Dropped connector \"c\"",
        ),
    ] {
        let got = entities(&[entity], 0);
        let lines: Vec<&str> = got.lines().map(str::trim).collect();
        assert_eq!(lines, ["", "Message", "", message, ""]);
    }
    for (entity, line) in [
        (
            json!({"@type": "assert_schema", "subject": "s", "id": 4, "exists": true}),
            "Schema with subject s id 4 exists.",
        ),
        (
            json!({"@type": "assert_schema", "subject": null, "id": 4, "exists": false}),
            "Schema with id 4 does not exist.",
        ),
    ] {
        assert_eq!(entities(&[entity], 0), format!("\n{line}\n"));
    }
}

#[test]
fn connectors_show_workers_tasks_and_topics() {
    check(
        json!({"@type": "connector_description", "connectorClass": "x.Y", "status": {"name": "C",
            "connector": {"state": "RUNNING", "worker_id": "w:1", "trace": null},
            "tasks": [{"id": 0, "state": "FAILED", "worker_id": "w:1", "trace": "boom"}],
            "type": "sink"}, "sources": [], "topics": ["t"]}),
        "
Name                 : C
Class                : x.Y
Type                 : sink
State                : RUNNING
WorkerId             : w:1

 Task ID | State  | Error Trace 

 0       | FAILED | boom        


 Related Topics 

 t              

",
    );
}

#[test]
fn an_unknown_entity_is_shown_as_it_is() {
    check(
        json!({"@type": "news", "n": [{}, []]}),
        "\n{\n  \"@type\" : \"news\",\n  \"n\" : [ { }, [ ] ]\n}\n",
    );
}

#[test]
fn json_indents_objects_alone() {
    let value: Value =
        serde_json::from_str("[{\"a\":1.50,\"b\":[{\"c\":\"\\u00e9\\n\"},[]]},{}]").unwrap();
    assert_eq!(
        json::pretty(&value),
        "[ {\n  \"a\" : 1.50,\n  \"b\" : [ {\n    \"c\" : \"é\\n\"\n  }, [ ] ]\n}, { } ]"
    );
}
