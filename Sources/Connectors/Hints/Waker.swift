internal import CLinux
internal import Glibc

/// A descriptor that becomes readable when somebody wakes whoever waits for it.
final class Waker: Sendable {
    let descriptor: Int32

    init() throws {
        descriptor = eventfd(0, Int32(CLINUX_EFD_CLOEXEC | CLINUX_EFD_NONBLOCK))
        guard descriptor >= 0 else {
            throw SourceFailure.unavailable("no eventfd: \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    func wake() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    /// Waits until `other` can be read; false when it was woken or the time has passed.
    func wait(for other: Int32, milliseconds: Int?) -> Bool {
        var waiting = [
            pollfd(fd: other, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        ]
        let count = poll(&waiting, 2, milliseconds.map { Int32(clamping: $0) } ?? -1)
        if waiting[1].revents != 0 {
            var value: UInt64 = 0
            _ = read(descriptor, &value, 8)
            return false
        }
        return count > 0 && waiting[0].revents != 0
    }
}
