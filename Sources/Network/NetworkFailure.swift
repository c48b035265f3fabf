/// Why a connection could not be made or did not last.
public struct NetworkFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public var endpoint: Endpoint
    public var kind: Kind
    /// What the system or the other side said; safe text, never a secret.
    public var reason: String

    public enum Kind: Hashable, Sendable {
        /// No address, no route, nobody listens.
        case unreachable
        /// TLS was not agreed upon, or the certificate does not prove who it is.
        case tlsRefused
        /// Bytes came in the clear that were meant to be taken for the other side's words after STARTTLS.
        case plaintextInjected
        /// Nothing, or not enough, happened in time.
        case deadline
        /// The other side closed it, or it broke.
        case closed
    }

    public init(_ kind: Kind, _ endpoint: Endpoint, _ reason: String) {
        (self.kind, self.endpoint, self.reason) = (kind, endpoint, reason)
    }

    public var description: String {
        switch kind {
        case .unreachable: "\(endpoint) cannot be reached: \(reason)"
        case .tlsRefused: "no trusted connection to \(endpoint): \(reason)"
        case .plaintextInjected: "\(endpoint) sent unprotected data with its consent to TLS: \(reason)"
        case .deadline: "\(endpoint) did not answer in time: \(reason)"
        case .closed: "\(endpoint) closed the connection: \(reason)"
        }
    }

    /// What to do about it.
    public var hint: String {
        switch kind {
        case .unreachable: "Is the name right, is the server up, and does a firewall let port \(endpoint.port) through?"
        case .tlsRefused:
            "For a private authority name its certificate with --ca FILE; verification cannot be turned off"
        case .plaintextInjected: "Somebody may be in between. Use imaps:// instead of STARTTLS"
        case .deadline: "It is tried again later; a server that is always slow needs a look at its load"
        case .closed: "It is tried again later; the server's own log says why it closes connections"
        }
    }
}
