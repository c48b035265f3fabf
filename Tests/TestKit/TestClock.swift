public import Events
public import Files
internal import Synchronization

/// A clock that shows what a test sets it to; with a step, a little more each time it is looked at.
public final class TestClock: Sendable {
    private let state: Mutex<(now: Int64, step: Int64)>

    /// Begins at `now`; every look moves it on by `step` microseconds.
    public init(_ now: Timestamp = Timestamp(seconds: 1_772_000_000), step: Int64 = 0) {
        state = Mutex((now.rawValue, step))
    }

    public var now: Timestamp {
        get { state.withLock { Timestamp(rawValue: $0.now) } }
        set { set(newValue) }
    }

    public func set(_ time: Timestamp) { state.withLock { $0.now = time.rawValue } }

    public func advance(seconds: Int64 = 0, microseconds: Int64 = 0) {
        state.withLock { $0.now += seconds * 1_000_000 + microseconds }
    }

    /// What the engine is given.
    public var wall: WallClock {
        WallClock {
            self.state.withLock { state in
                defer { state.now += state.step }
                return Timestamp(rawValue: state.now)
            }
        }
    }
}
