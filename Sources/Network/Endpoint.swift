/// A host and a port, as a person named them.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// A name, or an address without brackets.
    public var host: String
    public var port: Int

    public init(host: String, port: Int) { (self.host, self.port) = (host, port) }

    public var description: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether it is this machine by an address that never leaves it. A name other than `localhost` is not looked up: it may
    /// mean something else tomorrow.
    public var isLoopback: Bool {
        if host == "::1" || host == "localhost" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
