//! Web sockets: the text frames and how the server closes.

use futures::StreamExt;
use tokio_tungstenite::tungstenite::Message;

use crate::http1::PATIENCE;

/// What a web socket gave.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) frames: Vec<String>,
    pub(crate) close_code: Option<u16>,
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(b).to_string()
            }
            _ => format!("%{b:02X}"),
        })
        .collect()
}

/// Opens a socket and reads it to its end, or until a frame contains `until`.
pub(crate) async fn ask(
    host: &str,
    path: &str,
    query: &[(String, String)],
    until: Option<&str>,
) -> Result<Answer, String> {
    let query: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    let url = format!("ws://{host}{path}?{}", query.join("&"));
    let (mut socket, _) = tokio_tungstenite::connect_async(url)
        .await
        .map_err(|e| e.to_string())?;
    let mut answer = Answer::default();
    loop {
        let message = tokio::time::timeout(PATIENCE, socket.next())
            .await
            .map_err(|_| format!("no more frames came: {:?}", answer.frames))?;
        match message {
            Some(Ok(Message::Text(text))) => {
                answer.frames.push(text.to_string());
                if until.is_some_and(|u| text.contains(u)) {
                    return Ok(answer);
                }
            }
            Some(Ok(Message::Close(frame))) => {
                answer.close_code = frame.map(|f| f.code.into());
                return Ok(answer);
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Ok(answer),
        }
    }
}
