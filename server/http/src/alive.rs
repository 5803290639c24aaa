//! Answers of `/query` that may be silent for long: a bare line end now and then tells the client
//! that the server is there, and the server that the client is gone (spec/api.md §4.1, §4.5).

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Bytes;
use futures::{Stream, StreamExt};
use weir_catalog::Weir;

/// `query.stream.disconnect.check`
pub(crate) fn pause(weir: &Weir) -> Duration {
    let given = weir.property("query.stream.disconnect.check");
    let millis = given.and_then(|text| text.trim().parse().ok());
    Duration::from_millis(millis.filter(|ms| *ms > 0).unwrap_or(1000))
}

/// The chunks, and a line end after every `pause` in which none came.
pub(crate) fn kept_alive(
    chunks: impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
    pause: Duration,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    futures::stream::unfold(Box::pin(chunks), move |mut chunks| async move {
        let chunk = match tokio::time::timeout(pause, chunks.next()).await {
            Ok(chunk) => chunk?,
            Err(_) => Ok(Bytes::from_static(b"\n")),
        };
        Some((chunk, chunks))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn silence_is_broken_by_line_ends() {
        let (sender, receiver) = tokio::sync::mpsc::channel::<&'static str>(4);
        let chunks = tokio_stream::wrappers::ReceiverStream::new(receiver)
            .map(|text| Ok(Bytes::from_static(text.as_bytes())));
        let mut alive = Box::pin(kept_alive(chunks, Duration::from_millis(5)));
        let mut next = async || {
            let chunk = alive.next().await;
            chunk.map(|chunk| String::from_utf8(chunk.unwrap().to_vec()).unwrap())
        };
        sender.send("a").await.unwrap();
        assert_eq!(next().await.as_deref(), Some("a"));
        assert_eq!(next().await.as_deref(), Some("\n"));
        assert_eq!(next().await.as_deref(), Some("\n"));
        sender.send("b").await.unwrap();
        assert_eq!(next().await.as_deref(), Some("b"));
        drop(sender);
        assert_eq!(next().await, None);
    }
}
