internal import Glibc

/// A moment of the clock that only runs forward, until which something is waited for.
public struct Deadline: Hashable, Comparable, Sendable {
    /// Since the machine was started.
    public let nanoseconds: UInt64

    init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    public static let never = Deadline(nanoseconds: .max)

    public static func after(milliseconds: Int) -> Deadline {
        now.later(milliseconds: milliseconds)
    }

    public static var now: Deadline {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Deadline(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    public func later(milliseconds: Int) -> Deadline {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(UInt64(max(milliseconds, 0)) &* 1_000_000)
        return overflow ? .never : Deadline(nanoseconds: sum)
    }

    public var hasPassed: Bool { self != .never && Deadline.now >= self }

    /// Until it; 0 when it has passed, nil for never.
    public var millisecondsLeft: Int? {
        if self == .never { return nil }
        let now = Deadline.now.nanoseconds
        return nanoseconds <= now ? 0 : Int((nanoseconds - now + 999_999) / 1_000_000)
    }

    public static func < (a: Deadline, b: Deadline) -> Bool { a.nanoseconds < b.nanoseconds }
}
