//! TLS towards the server: whom to trust, and who we are (spec/api.md §8.1, `--config-file`).

use std::path::Path;
use std::pin::Pin;

use openssl::ssl::{SslConnector, SslMethod};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;
use weir_protocol::tls::{KeyStore, TlsError, trusted};

/// Where systems keep the authorities that they trust; the first one that is there counts.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A connection, with TLS or without.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connector that trusts `ssl.truststore.location`, or else what the system trusts, and shows
/// the certificate of `ssl.keystore.location`, if there is one.
pub(crate) fn connector(properties: &[(String, String)]) -> Result<SslConnector, TlsError> {
    let property = |name: &str| {
        let found = properties.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    match trusted(&property)? {
        Some(certificates) => {
            for certificate in certificates {
                builder.cert_store_mut().add_cert(certificate)?;
            }
        }
        None => {
            if let Some(file) = SYSTEM.iter().find(|file| Path::new(file).exists()) {
                builder.set_ca_file(file)?;
            }
        }
    }
    if let Some(store) = KeyStore::open(&property)? {
        builder.set_private_key(&store.key)?;
        builder.set_certificate(&store.certificate)?;
        for certificate in store.chain {
            builder.add_extra_chain_cert(certificate)?;
        }
    }
    Ok(builder.build())
}

/// Shakes hands with the server of that name.
///
/// # Errors
///
/// Why there is no connection, in words.
pub(crate) async fn connect(
    connector: &SslConnector,
    host: &str,
    stream: TcpStream,
) -> Result<SslStream<TcpStream>, String> {
    let ssl = connector
        .configure()
        .and_then(|configuration| configuration.into_ssl(host))
        .map_err(|e| e.to_string())?;
    let mut stream = SslStream::new(ssl, stream).map_err(|e| e.to_string())?;
    match Pin::new(&mut stream).connect().await {
        Ok(()) => Ok(stream),
        Err(error) => {
            let verified = stream.ssl().verify_result();
            Err(if verified == openssl::x509::X509VerifyResult::OK {
                error.to_string()
            } else {
                format!(
                    "the server's certificate is not trusted: {}. Name a store that trusts it \
                     as ssl.truststore.location in the file of --config-file.",
                    verified.error_string()
                )
            })
        }
    }
}
