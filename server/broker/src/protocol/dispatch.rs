//! From a request's bytes to its response's bytes.

use super::api::Api;
use super::response::{Response, Sink};
use super::{guard, produce_walk};
use crate::broker::Broker;
use crate::error_code::ResponseCode;
use bytes::{Buf, BufMut, Bytes};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable};
use std::io;

/// Who sent a request.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// As Kafka shows it: a slash and the address.
    pub(crate) host: String,
}

/// Requests other than Produce are refused beyond this size.
const MAX_SMALL_REQUEST: usize = 4 << 20;

fn invalid(reason: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_string())
}

fn decode<T: Decodable>(body: &mut Bytes, api: &Api, version: i16) -> io::Result<T> {
    let what = || format!("{:?} v{version} is malformed", api.key);
    if !guard::is_honest::<T>(body, version) {
        return Err(invalid(what()));
    }
    T::decode(body, version).map_err(|e| invalid(format!("{}: {e}", what())))
}

/// Whether the answer to this frame may be long in coming by its own wish.
pub(crate) fn may_wait(frame: &[u8]) -> bool {
    let key = frame.first_chunk::<2>().map(|key| i16::from_be_bytes(*key));
    [ApiKey::Fetch, ApiKey::JoinGroup, ApiKey::SyncGroup]
        .iter()
        .any(|api| key == Some(*api as i16))
}

/// Handles one request frame. `None`: nothing is to be sent back. An error closes the connection.
pub(crate) async fn answer(
    broker: &Broker,
    mut frame: Bytes,
    peer: &Peer,
) -> io::Result<Option<Response>> {
    let mut peek = frame.clone();
    let (Ok(key), Ok(version)) = (peek.try_get_i16(), peek.try_get_i16()) else {
        return Err(invalid("a request without key and version"));
    };
    let correlation_id = peek.try_get_i32().map_err(invalid)?;
    let Some(api) = Api::find(key) else {
        return Err(invalid(format!("the API {key} is not served")));
    };
    let mut out = Sink::new([]);
    if !api.serves(version) {
        if api.key != ApiKey::ApiVersions {
            return Err(invalid(format!("{:?} v{version} is not served", api.key)));
        }
        // The one answer to a version that is too new: in v0, so that every client understands it.
        out.put_i32(correlation_id);
        let response = broker.api_versions(ResponseCode::UnsupportedVersion);
        response.encode(&mut out, 0).map_err(invalid)?;
        return Ok(Some(out.finish()));
    }
    if frame.len() > MAX_SMALL_REQUEST && api.key != ApiKey::Produce {
        return Err(invalid(format!("{:?} of {} bytes", api.key, frame.len())));
    }
    let header_version = api.key.request_header_version(version);
    let header = RequestHeader::decode(&mut frame, header_version).map_err(invalid)?;
    let client_id = header.client_id.as_deref().unwrap_or_default();
    begin(&mut out, api, version, correlation_id)?;

    macro_rules! serve {
        ($request:ident, $handle:expr) => {{
            let request: $request = decode(&mut frame, api, version)?;
            #[allow(clippy::redundant_closure_call)]
            let response = $handle(request);
            encode(&response, &mut out, api, version)?;
        }};
    }
    macro_rules! serve_async {
        ($request:ident, $handle:expr) => {{
            let request: $request = decode(&mut frame, api, version)?;
            let response = $handle(request).await;
            encode(&response, &mut out, api, version)?;
        }};
    }
    match api.key {
        ApiKey::Produce => {
            if !produce_walk::is_honest(&frame, version) {
                return Err(invalid(format!("Produce v{version} is malformed")));
            }
            let request = ProduceRequest::decode(&mut frame, version).map_err(invalid)?;
            let silent = request.acks == 0;
            let response = broker.produce(request, version);
            if silent {
                return Ok(None);
            }
            encode(&response, &mut out, api, version)?;
        }
        ApiKey::Fetch => {
            let request: FetchRequest = decode(&mut frame, api, version)?;
            let (response, lease) = broker.fetch(request, version).await;
            let partitions = response.responses.iter().flat_map(|t| &t.partitions);
            let mut with_records =
                Sink::new(partitions.filter_map(|p| p.records.clone())).holding(lease);
            begin(&mut with_records, api, version, correlation_id)?;
            encode(&response, &mut with_records, api, version)?;
            return Ok(Some(with_records.finish()));
        }
        ApiKey::ListOffsets => serve!(ListOffsetsRequest, |r| broker.list_offsets(r, version)),
        ApiKey::Metadata => serve!(MetadataRequest, |r| broker.metadata(r, version)),
        ApiKey::OffsetCommit => serve!(OffsetCommitRequest, |r| broker.offset_commit(r)),
        ApiKey::OffsetFetch => serve!(OffsetFetchRequest, |r| broker.offset_fetch(r, version)),
        ApiKey::FindCoordinator => {
            serve!(FindCoordinatorRequest, |r| broker
                .find_coordinator(r, version));
        }
        ApiKey::JoinGroup => {
            serve_async!(JoinGroupRequest, |r| broker
                .join_group(r, version, client_id, peer));
        }
        ApiKey::Heartbeat => serve!(HeartbeatRequest, |r| broker.heartbeat(r)),
        ApiKey::LeaveGroup => serve!(LeaveGroupRequest, |r| broker.leave_group(r, version)),
        ApiKey::SyncGroup => serve_async!(SyncGroupRequest, |r| broker.sync_group(r)),
        ApiKey::DescribeGroups => serve!(DescribeGroupsRequest, |r| broker.describe_groups(r)),
        ApiKey::ListGroups => serve!(ListGroupsRequest, |r| broker.list_groups(r)),
        ApiKey::ApiVersions => {
            serve!(ApiVersionsRequest, |_| broker
                .api_versions(ResponseCode::None));
        }
        ApiKey::CreateTopics => serve!(CreateTopicsRequest, |r| broker.create_topics(r)),
        ApiKey::DeleteTopics => serve!(DeleteTopicsRequest, |r| broker.delete_topics(r, version)),
        ApiKey::DeleteRecords => serve!(DeleteRecordsRequest, |r| broker.delete_records(r)),
        ApiKey::InitProducerId => {
            serve!(InitProducerIdRequest, |r| broker
                .init_producer_id(r, version));
        }
        ApiKey::OffsetForLeaderEpoch => {
            serve!(OffsetForLeaderEpochRequest, |r| broker
                .offset_for_leader_epoch(r));
        }
        ApiKey::AddPartitionsToTxn => {
            serve!(AddPartitionsToTxnRequest, |r| broker
                .add_partitions(r, version));
        }
        ApiKey::AddOffsetsToTxn => {
            serve!(AddOffsetsToTxnRequest, |r| broker.add_offsets(r, version));
        }
        ApiKey::EndTxn => serve!(EndTxnRequest, |r| broker.end_transaction(r, version)),
        ApiKey::TxnOffsetCommit => {
            serve!(TxnOffsetCommitRequest, |r| broker.txn_offset_commit(r));
        }
        ApiKey::DescribeConfigs => serve!(DescribeConfigsRequest, |r| broker.describe_configs(r)),
        ApiKey::AlterConfigs => serve!(AlterConfigsRequest, |r| broker.alter_configs(r)),
        ApiKey::CreatePartitions => {
            serve!(CreatePartitionsRequest, |r| broker.create_partitions(r));
        }
        ApiKey::DeleteGroups => serve!(DeleteGroupsRequest, |r| broker.delete_groups(r)),
        ApiKey::IncrementalAlterConfigs => {
            serve!(IncrementalAlterConfigsRequest, |r| broker
                .incremental_alter_configs(r));
        }
        ApiKey::OffsetDelete => serve!(OffsetDeleteRequest, |r| broker.offset_delete(r)),
        ApiKey::DescribeCluster => serve!(DescribeClusterRequest, |_| broker.describe_cluster()),
        ApiKey::DescribeProducers => {
            serve!(DescribeProducersRequest, |r| broker.describe_producers(r));
        }
        ApiKey::DescribeTransactions => {
            serve!(DescribeTransactionsRequest, |r| broker
                .describe_transactions(r));
        }
        ApiKey::ListTransactions => {
            serve!(ListTransactionsRequest, |r| broker.list_transactions(r));
        }
        _ => return Err(invalid(format!("the API {key} is not served"))),
    }
    Ok(Some(out.finish()))
}

/// Writes the response's header.
fn begin(out: &mut Sink, api: &Api, version: i16, correlation_id: i32) -> io::Result<()> {
    ResponseHeader::default()
        .with_correlation_id(correlation_id)
        .encode(out, api.key.response_header_version(version))
        .map_err(invalid)
}

fn encode<T: Encodable>(response: &T, out: &mut Sink, api: &Api, version: i16) -> io::Result<()> {
    response.encode(out, version).map_err(|e| {
        tracing::error!(api = ?api.key, version, error = %e, "a response could not be encoded");
        invalid(e)
    })
}
