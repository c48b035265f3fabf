internal import Glibc

/// A SIGKILL for this process, by a thread of its own, so many microseconds from now.
public func killThisProcess(afterMicroseconds pause: UInt32) {
    var thread = pthread_t()
    let argument = UnsafeMutableRawPointer(bitPattern: UInt(pause) + 1)
    pthread_create(
        &thread, nil,
        { argument in
            usleep(UInt32(UInt(bitPattern: argument) - 1))
            kill(getpid(), SIGKILL)
            return nil
        }, argument)
}
