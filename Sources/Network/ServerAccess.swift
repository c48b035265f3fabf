/// How a mail server is reached and signed in to. A value: every connection is opened from it anew.
///
/// The secret is never part of it: ``secret`` is asked for each connection, and what it gives is not kept.
public struct ServerAccess: Sendable {
    public var endpoint: Endpoint
    public var security: Security
    /// PEM file of the authorities to trust instead of the system's.
    public var authorities: String?
    /// Whose mailboxes they are.
    public var user: String
    /// Who signs in on that user's behalf, an administrator; nil: the user.
    public var master: String?
    public var mechanism: Mechanism
    /// Gives the password or the token, as bytes.
    public var secret: @Sendable () throws -> [UInt8]

    public init(
        endpoint: Endpoint, security: Security, authorities: String? = nil, user: String, master: String? = nil,
        mechanism: Mechanism = .automatic, secret: @escaping @Sendable () throws -> [UInt8]
    ) {
        (self.endpoint, self.security, self.authorities) = (endpoint, security, authorities)
        (self.user, self.master, self.mechanism, self.secret) = (user, master, mechanism, secret)
    }

    /// What protects the bytes on their way.
    public enum Security: String, Hashable, Sendable, CaseIterable {
        /// TLS from the first byte.
        case tls
        /// TLS after a command, and nothing without it.
        case startTLS = "starttls"
        /// Nothing: for loopback, or where somebody has said so.
        case plaintext
    }

    /// How a user proves who it is.
    public enum Mechanism: String, Hashable, Sendable, CaseIterable {
        /// SASL PLAIN where it is offered, else LOGIN.
        case automatic
        case plain, login, xoauth2, oauthbearer
    }
}

extension ServerAccess: CustomStringConvertible {
    /// Without anything that is secret.
    public var description: String {
        let who = master.map { "\(user) (as \($0))" } ?? user
        return "\(who) at \(endpoint)"
    }
}
