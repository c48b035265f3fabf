internal import Glibc
internal import Synchronization

/// SIGINT and SIGTERM: the program ends with 130 or 143. What has been recorded is whole at every moment, so most verbs
/// end at once; one that wants to say goodbye asks for it with ``whenRequested(_:)``.
enum Termination {
    private static let requested = Atomic<Int32>(0)
    private static let wakeDescriptor = Atomic<Int32>(-1)

    static func install() {
        signal(SIGPIPE, SIG_IGN)
        for number in [SIGINT, SIGTERM] {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { Termination.received($0) }
            // A process started in the background of a shell without job control has SIGINT ignored: leave it so.
            var before = sigaction()
            sigaction(number, nil, &before)
            let isIgnored = unsafeBitCast(before.__sigaction_handler.sa_handler, to: Int.self) == 1
            if !(number == SIGINT && isIgnored) { sigaction(number, &action, nil) }
        }
        // Whoever started the program may have had them blocked, as threads of a pool do, and that is inherited.
        var both = sigset_t()
        sigemptyset(&both)
        for number in [SIGINT, SIGTERM] { sigaddset(&both, number) }
        pthread_sigmask(SIG_UNBLOCK, &both, nil)
    }

    /// Only what is safe in a signal handler.
    private static func received(_ number: Int32) {
        let wake = wakeDescriptor.load(ordering: .relaxed)
        let isFirst = requested.exchange(number, ordering: .relaxed) == 0
        if wake >= 0, isFirst {
            var byte: UInt8 = 1
            _ = Glibc.write(wake, &byte, 1)
            return
        }
        if isatty(2) == 1 {
            var end: UInt8 = 10
            _ = Glibc.write(2, &end, 1)
        }
        _exit(128 + number)
    }

    /// The signal that asked to end, when one has.
    static var requestedSignal: Int32? {
        let number = requested.load(ordering: .relaxed)
        return number == 0 ? nil : number
    }

    /// From now on a signal runs `body`, once, on a thread of its own, and the verb ends by itself; a second signal ends
    /// the program at once.
    static func whenRequested(_ body: @escaping @Sendable () -> Void) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { return }
        let (reading, writing) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let box = Unmanaged.passRetained(Waiter(descriptor: reading, body: body))
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let waiter = Unmanaged<Waiter>.fromOpaque(argument).takeRetainedValue()
                var byte: UInt8 = 0
                while read(waiter.descriptor, &byte, 1) < 0, errno == EINTR {}
                waiter.body()
                return nil
            }, box.toOpaque())
        pthread_detach(thread)
        wakeDescriptor.store(writing, ordering: .relaxed)
    }

    private final class Waiter {
        let descriptor: Int32
        let body: @Sendable () -> Void

        init(descriptor: Int32, body: @escaping @Sendable () -> Void) {
            (self.descriptor, self.body) = (descriptor, body)
        }
    }
}
