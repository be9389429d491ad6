//! Why no encrypted connection came about, in words for people. Both programs need them: rustls'
//! own are for programmers, and end early in a release, which is built without what `{:?}` prints.

use std::io;

use rustls::{AlertDescription, CertificateError as C, Error as E};

/// What the other side, "it", is or does that rules out an encrypted connection.
pub fn trouble(error: &E) -> &'static str {
    match error {
        E::InvalidCertificate(why) => certificate(why),
        E::NoCertificatesPresented => "it shows no certificate",
        E::UnsupportedNameType => "no certificate can be for a name like that",
        E::AlertReceived(alert) => refusal(*alert),
        E::InvalidMessage(_) => "it does not speak TLS",
        E::PeerIncompatible(_) => "it speaks no TLS version or cipher of today",
        E::PeerMisbehaved(_)
        | E::InappropriateMessage { .. }
        | E::InappropriateHandshakeMessage { .. }
        | E::DecryptError => "it does not keep to the rules of TLS",
        E::InconsistentKeys(_) => "the key is not that of the certificate",
        E::FailedToGetRandomBytes => "this machine gives no random bytes",
        E::FailedToGetCurrentTime => "this machine does not tell the time",
        _ => "the encrypted connection failed",
    }
}

/// What is wrong with a certificate.
fn certificate(why: &C) -> &'static str {
    match why {
        C::UnknownIssuer => "its certificate is of an unknown issuer",
        C::Expired | C::ExpiredContext { .. } => {
            "its certificate has expired, or this machine's clock is wrong"
        }
        C::NotValidYet | C::NotValidYetContext { .. } => {
            "its certificate is not valid yet, or this machine's clock is wrong"
        }
        C::NotValidForName | C::NotValidForNameContext { .. } => {
            "its certificate is for another name"
        }
        // As where a CA was made anew under its old name.
        C::BadSignature => "its issuer has the name but not the key of one that is trusted",
        C::Revoked => "its certificate was revoked",
        C::BadEncoding => "its certificate is damaged",
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => {
            "its certificate is not one for a server"
        }
        _ => "its certificate can't be trusted",
    }
}

/// What the other side gave as its reason to refuse (RFC 8446, section 6.2).
fn refusal(alert: AlertDescription) -> &'static str {
    use AlertDescription as A;
    match alert {
        A::HandshakeFailure | A::ProtocolVersion | A::InsufficientSecurity => {
            "it refused the encrypted connection: no TLS version or cipher is common to both"
        }
        A::UnrecognisedName => "it refused the encrypted connection: it does not know this name",
        A::CertificateRequired => {
            "it refused the encrypted connection: it wants a certificate of the client"
        }
        _ => "it refused the encrypted connection",
    }
}

/// The error of TLS in one of reading or writing, where it is one.
pub fn in_io(error: &io::Error) -> Option<&E> {
    error.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_tls_is_found_in_one_of_reading() {
        let tls = E::InvalidCertificate(C::UnknownIssuer);
        let error = io::Error::new(io::ErrorKind::InvalidData, tls.clone());
        assert_eq!(in_io(&error), Some(&tls));
        assert_eq!(trouble(&tls), "its certificate is of an unknown issuer");
        assert_eq!(in_io(&io::ErrorKind::UnexpectedEof.into()), None);
        assert_eq!(in_io(&io::Error::other("else")), None);
    }
}
