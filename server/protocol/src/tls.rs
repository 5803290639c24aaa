//! Keys and certificates of both ends of the API, named by ksqlDB's `ssl.*` properties
//! (spec/api.md §1.2).
//!
//! ```text
//!  ssl.keystore.location   ─► KeyStore: private key, certificate, chain
//!  ssl.truststore.location ─► certificates that are trusted
//! ```
//!
//! Files are PEM or PKCS12 (what Java's `keytool` writes by default), told apart by their
//! contents, not by `ssl.keystore.type`. JKS and BCFKS are refused with the way to convert them.

use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

/// How a file of JKS begins.
const JKS: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A property is missing.
    #[error("{0} must be set")]
    Missing(&'static str),
    /// A property has a value that it cannot have.
    #[error("{name}={value}: {expected}")]
    Value {
        /// The property.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is in a format of Java's own.
    #[error(
        "{} is a JKS key store, which only Java reads. Convert it: keytool -importkeystore \
         -srckeystore {} -destkeystore store.p12 -deststoretype PKCS12", path.display(),
        path.display()
    )]
    Jks {
        /// The file.
        path: PathBuf,
    },
    /// The file lacks what it is for.
    #[error("{} holds no {what}", path.display())]
    Lacks {
        /// The file.
        path: PathBuf,
        /// What is not there.
        what: &'static str,
    },
    /// The contents or the password are wrong.
    #[error("cannot use {}: {source}. Is the password right?", path.display())]
    Contents {
        /// The file.
        path: PathBuf,
        /// What OpenSSL said.
        source: ErrorStack,
    },
    /// OpenSSL refuses a setting.
    #[error("TLS: {0}")]
    OpenSsl(#[from] ErrorStack),
}

/// A private key with its certificate and the certificates between that and the root.
pub struct KeyStore {
    /// The key.
    pub key: PKey<Private>,
    /// Its certificate.
    pub certificate: X509,
    /// Certificates of authorities, the nearest first.
    pub chain: Vec<X509>,
}

/// Where `ssl.*` properties come from.
pub type Property<'a> = &'a dyn Fn(&str) -> Option<String>;

impl KeyStore {
    /// The store of `ssl.keystore.location`; `None`: it is not set.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or not with `ssl.keystore.password` and `ssl.key.password`.
    pub fn open(property: Property<'_>) -> Result<Option<Self>, TlsError> {
        let Some(path) = property("ssl.keystore.location").map(PathBuf::from) else {
            return Ok(None);
        };
        let password = property("ssl.keystore.password").unwrap_or_default();
        let key_password = property("ssl.key.password").unwrap_or_else(|| password.clone());
        let bytes = read(&path)?;
        let contents = |source| TlsError::Contents {
            path: path.clone(),
            source,
        };
        let lacks = |what| TlsError::Lacks {
            path: path.clone(),
            what,
        };
        if is_pem(&bytes) {
            let mut certificates = X509::stack_from_pem(&bytes).map_err(contents)?.into_iter();
            let key = PKey::private_key_from_pem_passphrase(&bytes, key_password.as_bytes())
                .map_err(contents)?;
            let certificate = certificates.next().ok_or_else(|| lacks("certificate"))?;
            return Ok(Some(Self {
                key,
                certificate,
                chain: certificates.collect(),
            }));
        }
        let parsed = Pkcs12::from_der(&bytes)
            .and_then(|store| store.parse2(&password))
            .map_err(contents)?;
        Ok(Some(Self {
            key: parsed.pkey.ok_or_else(|| lacks("private key"))?,
            certificate: parsed.cert.ok_or_else(|| lacks("certificate"))?,
            chain: parsed.ca.into_iter().flatten().collect(),
        }))
    }
}

/// The certificates of `ssl.truststore.location`; `None`: it is not set.
///
/// # Errors
///
/// The file cannot be read, or not with `ssl.truststore.password`.
pub fn trusted(property: Property<'_>) -> Result<Option<Vec<X509>>, TlsError> {
    let Some(path) = property("ssl.truststore.location").map(PathBuf::from) else {
        return Ok(None);
    };
    let bytes = read(&path)?;
    let contents = |source| TlsError::Contents {
        path: path.clone(),
        source,
    };
    let found: Vec<X509> = if is_pem(&bytes) {
        X509::stack_from_pem(&bytes).map_err(contents)?
    } else {
        let password = property("ssl.truststore.password").unwrap_or_default();
        let parsed = Pkcs12::from_der(&bytes)
            .and_then(|store| store.parse2(&password))
            .map_err(contents)?;
        parsed
            .cert
            .into_iter()
            .chain(parsed.ca.into_iter().flatten())
            .collect()
    };
    if found.is_empty() {
        return Err(TlsError::Lacks {
            path,
            what: "certificate",
        });
    }
    Ok(Some(found))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let bytes = std::fs::read(path).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })?;
    if bytes.starts_with(&JKS) {
        return Err(TlsError::Jks {
            path: path.to_owned(),
        });
    }
    Ok(bytes)
}

/// Whether a file is text with PEM blocks; PKCS12 is DER and begins with a SEQUENCE.
fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}
