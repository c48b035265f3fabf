internal import Glibc

/// Where the engine says what a person should know and what no return value carries: standard error.
struct Log: Sendable {
    static let shared = Log()

    func note(_ sentence: String) {
        let line = Array("yestermail: \(sentence)\n".utf8)
        _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
    }
}
