internal import Glibc
internal import Synchronization
internal import Threads

/// Stands between a client and a server of this machine, and cuts connections when it is told to.
public final class CuttingProxy: Sendable {
    private struct State {
        /// After so many bytes to a client all connections are cut; nil: none is.
        var cutAfter: Int?
        var cuts = 0
        var isStopped = false
    }

    public let port: Int
    private let listener: Int32
    private let state = Mutex(State())

    /// Begins to pass on to that port of this machine.
    public init(to target: Int) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = CuttingProxy.address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let found = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        precondition(found, "no port: errno \(errno)")
        self.listener = listener
        port = Int(in_port_t(bigEndian: address.sin_port))
        _ = WorkerThread { [weak self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                guard let self else {
                    close(client)
                    return
                }
                let server = CuttingProxy.connect(target)
                _ = WorkerThread { self.pass(client, server) }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// Cuts all connections when so many more bytes have gone to clients.
    public func cut(after bytes: Int) { state.withLock { $0.cutAfter = bytes } }

    /// How often it has cut.
    public var cuts: Int { state.withLock { $0.cuts } }

    private static func address(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private static func connect(_ port: Int) -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = address(port)
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if isConnected { return descriptor }
        close(descriptor)
        return -1
    }

    /// How much may go to a client; all of it, unless it is cut in it.
    private func allowed(_ count: Int) -> (bytes: Int, isCut: Bool) {
        state.withLock { state in
            guard let left = state.cutAfter else { return (count, false) }
            guard count >= left else {
                state.cutAfter = left - count
                return (count, false)
            }
            state.cutAfter = nil
            state.cuts += 1
            return (left, true)
        }
    }

    private func pass(_ client: Int32, _ server: Int32) {
        defer {
            close(client)
            if server >= 0 { close(server) }
        }
        guard server >= 0 else { return }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            var waiting = [client, server].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&waiting, 2, -1) > 0 else { return }
            for (from, to) in [(0, server), (1, client)] where waiting[from].revents != 0 {
                let count = recv(waiting[from].fd, &buffer, buffer.count, 0)
                guard count > 0 else { return }
                let (bytes, isCut) = from == 1 ? allowed(count) : (count, false)
                var sent = 0
                while sent < bytes {
                    let written = buffer.withUnsafeBytes {
                        send(to, $0.baseAddress! + sent, bytes - sent, Int32(MSG_NOSIGNAL))
                    }
                    guard written > 0 else { return }
                    sent += written
                }
                if isCut { return }
            }
        }
    }
}
