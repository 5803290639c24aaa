//! TLS of listeners (spec/api.md §1.2): ksqlDB's `ssl.*` properties, HTTP/2 or HTTP/1.1 by ALPN.

use std::pin::Pin;
use std::time::Duration;

use openssl::ssl::{
    AlpnError, Ssl, SslAcceptor, SslMethod, SslVerifyMode, SslVersion, select_next_proto,
};
use openssl::x509::store::X509StoreBuilder;
use tokio::net::TcpStream;
use tokio_openssl::SslStream;
use weir_protocol::tls::{KeyStore, Property, TlsError, trusted};

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What ALPN offers, each behind its length; what stands first is preferred.
const PROTOCOLS: &[u8] = b"\x02h2\x08http/1.1";

/// What a listener with TLS needs.
#[derive(Clone)]
pub struct Tls(SslAcceptor);

impl Tls {
    /// TLS as the `ssl.*` properties want it.
    ///
    /// # Errors
    ///
    /// `ssl.keystore.location` is not set, a store cannot be used, or a property has a value that
    /// it cannot have.
    pub fn from_properties(property: Property<'_>) -> Result<Self, TlsError> {
        let store = KeyStore::open(property)?.ok_or(TlsError::Missing("ssl.keystore.location"))?;
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        builder.set_private_key(&store.key)?;
        builder.set_certificate(&store.certificate)?;
        for certificate in store.chain {
            builder.add_extra_chain_cert(certificate)?;
        }
        if let Some(list) = property("ssl.enabled.protocols") {
            let (oldest, newest) = versions(&list)?;
            builder.set_min_proto_version(Some(oldest))?;
            builder.set_max_proto_version(Some(newest))?;
        }
        if property("ssl.cipher.suites").is_some() {
            tracing::warn!("ssl.cipher.suites is not used: the suites are OpenSSL's");
        }
        builder.set_verify(verify_mode(property)?);
        if let Some(certificates) = trusted(property)? {
            let mut authorities = X509StoreBuilder::new()?;
            for certificate in certificates {
                authorities.add_cert(certificate)?;
            }
            builder.set_cert_store(authorities.build());
        }
        builder.set_alpn_select_callback(|_, offered| {
            select_next_proto(PROTOCOLS, offered).ok_or(AlpnError::NOACK)
        });
        Ok(Self(builder.build()))
    }

    /// Shakes hands on a new connection. `None`: the client did not manage to.
    pub(crate) async fn accept(&self, stream: TcpStream) -> Option<SslStream<TcpStream>> {
        let shaken = async {
            let ssl = Ssl::new(self.0.context()).map_err(|e| e.to_string())?;
            let mut stream = SslStream::new(ssl, stream).map_err(|e| e.to_string())?;
            Pin::new(&mut stream)
                .accept()
                .await
                .map_err(|e| e.to_string())?;
            Ok::<_, String>(stream)
        };
        match tokio::time::timeout(HANDSHAKE, shaken).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(error, "no TLS handshake");
                None
            }
            Err(_) => {
                tracing::debug!("no TLS handshake in time");
                None
            }
        }
    }
}

/// The oldest and the newest version of `ssl.enabled.protocols`.
fn versions(list: &str) -> Result<(SslVersion, SslVersion), TlsError> {
    let (mut has_2, mut has_3) = (false, false);
    for name in list.split(',').map(str::trim) {
        match name {
            "TLSv1.2" => has_2 = true,
            "TLSv1.3" => has_3 = true,
            other => {
                return Err(TlsError::Value {
                    name: "ssl.enabled.protocols",
                    value: other.to_owned(),
                    expected: "it may name TLSv1.2 and TLSv1.3",
                });
            }
        }
    }
    Ok(match (has_2, has_3) {
        (true, false) => (SslVersion::TLS1_2, SslVersion::TLS1_2),
        (false, true) => (SslVersion::TLS1_3, SslVersion::TLS1_3),
        _ => (SslVersion::TLS1_2, SslVersion::TLS1_3),
    })
}

/// Whether clients are asked for a certificate: `ssl.client.authentication`, or the older boolean
/// `ssl.client.auth`.
fn verify_mode(property: Property<'_>) -> Result<SslVerifyMode, TlsError> {
    let required = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
    let Some(wanted) = property("ssl.client.authentication") else {
        let old = property("ssl.client.auth").is_some_and(|v| v.eq_ignore_ascii_case("true"));
        return Ok(if old { required } else { SslVerifyMode::NONE });
    };
    match wanted.to_ascii_uppercase().as_str() {
        "NONE" => Ok(SslVerifyMode::NONE),
        "REQUESTED" => Ok(SslVerifyMode::PEER),
        "REQUIRED" => Ok(required),
        _ => Err(TlsError::Value {
            name: "ssl.client.authentication",
            value: wanted,
            expected: "it may be NONE, REQUESTED or REQUIRED",
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::pkcs12::Pkcs12;
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;
    use openssl::ssl::SslConnector;
    use openssl::x509::{X509, X509NameBuilder};
    use std::collections::HashMap;
    use std::path::Path;

    /// A key and a certificate for `localhost` signed by itself, as PEM and as PKCS12.
    fn stores(dir: &Path) {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", "localhost").unwrap();
        let name = name.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(&name).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder
            .set_not_before(&Asn1Time::days_from_now(0).unwrap())
            .unwrap();
        builder
            .set_not_after(&Asn1Time::days_from_now(1).unwrap())
            .unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let certificate = builder.build();
        let mut pem = key.private_key_to_pem_pkcs8().unwrap();
        pem.extend(certificate.to_pem().unwrap());
        std::fs::write(dir.join("store.pem"), pem).unwrap();
        let store = Pkcs12::builder()
            .name("weir")
            .pkey(&key)
            .cert(&certificate)
            .build2("secret")
            .unwrap();
        std::fs::write(dir.join("store.p12"), store.to_der().unwrap()).unwrap();
        std::fs::write(dir.join("store.jks"), [0xfe, 0xed, 0xfe, 0xed, 0, 0]).unwrap();
    }

    fn tls(dir: &Path, properties: &[(&str, &str)]) -> Result<Tls, TlsError> {
        let given: HashMap<String, String> = properties
            .iter()
            .map(|(name, value)| {
                let value = value.replace("DIR", &dir.display().to_string());
                ((*name).to_owned(), value)
            })
            .collect();
        Tls::from_properties(&|name| given.get(name).cloned())
    }

    /// PEM and PKCS12 stores serve a client, which gets the protocol that it asks for.
    #[tokio::test]
    async fn handshakes_agree_on_a_protocol() {
        let dir = tempfile::tempdir().unwrap();
        stores(dir.path());
        for (file, offered, agreed) in [
            ("store.pem", &b"\x02h2\x08http/1.1"[..], &b"h2"[..]),
            ("store.p12", b"\x08http/1.1", b"http/1.1"),
        ] {
            let location = format!("DIR/{file}");
            let properties = [
                ("ssl.keystore.location", location.as_str()),
                ("ssl.keystore.password", "secret"),
            ];
            let tls = tls(dir.path(), &properties).unwrap();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = tokio::spawn(async move {
                let (stream, _) = listener.accept().await.unwrap();
                tls.accept(stream).await.is_some()
            });
            let mut client = SslConnector::builder(SslMethod::tls_client()).unwrap();
            client.set_verify(SslVerifyMode::NONE);
            client.set_alpn_protos(offered).unwrap();
            let ssl = client
                .build()
                .configure()
                .unwrap()
                .into_ssl("localhost")
                .unwrap();
            let stream = TcpStream::connect(address).await.unwrap();
            let mut stream = SslStream::new(ssl, stream).unwrap();
            Pin::new(&mut stream).connect().await.unwrap();
            assert_eq!(stream.ssl().selected_alpn_protocol(), Some(agreed));
            assert!(server.await.unwrap());
        }
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        let dir = tempfile::tempdir().unwrap();
        stores(dir.path());
        let pem = ("ssl.keystore.location", "DIR/store.pem");
        for (properties, words) in [
            (vec![], "ssl.keystore.location must be set"),
            (
                vec![("ssl.keystore.location", "DIR/none.pem")],
                "cannot read",
            ),
            (
                vec![("ssl.keystore.location", "DIR/store.jks")],
                "keytool -importkeystore",
            ),
            (
                vec![
                    ("ssl.keystore.location", "DIR/store.p12"),
                    ("ssl.keystore.password", "wrong"),
                ],
                "Is the password right?",
            ),
            (
                vec![pem, ("ssl.enabled.protocols", "SSLv3")],
                "ssl.enabled.protocols=SSLv3",
            ),
            (
                vec![pem, ("ssl.client.authentication", "MAYBE")],
                "NONE, REQUESTED or REQUIRED",
            ),
        ] {
            let error = tls(dir.path(), &properties).err().unwrap().to_string();
            assert!(error.contains(words), "{properties:?}: {error}");
        }
    }
}
