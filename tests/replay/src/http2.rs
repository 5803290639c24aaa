//! HTTP/2 with prior knowledge: the DATA frames of a response are what is compared.

use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use tokio::net::TcpStream;

use crate::http1::{PATIENCE, Response};

/// An open stream with one response on it.
pub(crate) struct Exchange {
    send: SendStream<Bytes>,
    receive: Option<RecvStream>,
    pending: Option<h2::client::ResponseFuture>,
    _client: SendRequest<Bytes>,
    pub(crate) response: Response,
}

impl Exchange {
    /// Sends a request; with `end` its body is whole.
    pub(crate) async fn start(
        host: &str,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: Option<&str>,
        end: bool,
    ) -> Result<Self, String> {
        let stream = TcpStream::connect(host).await.map_err(|e| e.to_string())?;
        let (client, connection) = h2::client::handshake(stream)
            .await
            .map_err(|e| e.to_string())?;
        tokio::spawn(async move {
            // The connection ends with its exchange.
            let _ = connection.await;
        });
        let mut client = client.ready().await.map_err(|e| e.to_string())?;
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("http://{host}{path}"));
        for (name, value) in headers {
            request = request.header(name.to_ascii_lowercase(), value);
        }
        let request = request.body(()).map_err(|e| e.to_string())?;
        let without = body.is_none_or(str::is_empty);
        let (pending, mut send) = client
            .send_request(request, without && end)
            .map_err(|e| e.to_string())?;
        if let Some(body) = body.filter(|b| !b.is_empty()) {
            send.send_data(Bytes::copy_from_slice(body.as_bytes()), end)
                .map_err(|e| e.to_string())?;
        }
        Ok(Self {
            send,
            receive: None,
            pending: Some(pending),
            _client: client,
            response: Response::default(),
        })
    }

    /// Writes more of the request's body.
    pub(crate) fn send(&mut self, data: &str, end: bool) -> Result<(), String> {
        self.send
            .send_data(Bytes::copy_from_slice(data.as_bytes()), end)
            .map_err(|e| e.to_string())
    }

    /// Waits for the response's head.
    pub(crate) async fn head_within(&mut self, patience: Duration) -> Result<(), String> {
        let Some(pending) = self.pending.take() else {
            return Ok(());
        };
        let response = tokio::time::timeout(patience, pending)
            .await
            .map_err(|_| "no response came".to_owned())?
            .map_err(|e| e.to_string())?;
        self.response.status = Some(response.status().as_u16());
        for (name, value) in response.headers() {
            let value = value.to_str().unwrap_or_default().to_owned();
            self.response
                .headers
                .push((name.as_str().to_owned(), value));
        }
        self.receive = Some(response.into_body());
        Ok(())
    }

    /// Reads the next frame of the body; `false`: the response has ended.
    pub(crate) async fn next(&mut self) -> Result<bool, String> {
        self.head_within(PATIENCE).await?;
        let Some(receive) = &mut self.receive else {
            return Ok(false);
        };
        let frame = tokio::time::timeout(PATIENCE, receive.data())
            .await
            .map_err(|_| "nothing more came".to_owned())?;
        match frame {
            Some(Ok(bytes)) => {
                // The window is ours to give back; a broken stream shows at the next frame.
                let _ = receive.flow_control().release_capacity(bytes.len());
                if !bytes.is_empty() {
                    self.response
                        .chunks
                        .push(String::from_utf8_lossy(&bytes).into_owned());
                }
                Ok(true)
            }
            Some(Err(error)) => Err(error.to_string()),
            None => {
                self.response.ended = true;
                Ok(false)
            }
        }
    }
}
