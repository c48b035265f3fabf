internal import Glibc

/// Makes unique base names: `SECONDS.M<µs>P<pid>Q<counter>R<random>.HOST`.
public struct MaildirNameSource: Sendable {
    private let now: @Sendable () -> FileTime
    /// What tells this source from all others: a process, and a random number.
    private let process = String(getpid())
    private let random: String
    private let host: [UInt8]
    private var counter: UInt64 = 0

    /// With a clock and a source of randomness of the caller's. `/`, `:` and what is not printable ASCII in the name
    /// of the host are written `\057`, as the Maildir convention has it.
    public init(
        host: [UInt8], now: @escaping @Sendable () -> FileTime, random: @Sendable () -> UInt64
    ) {
        (self.now, self.random) = (now, String(random(), radix: 16))
        self.host = host.prefix(48).flatMap { byte -> [UInt8] in
            let isPlain = (0x21...0x7E).contains(byte) && !Array(":;!,/\\".utf8).contains(byte)
            if isPlain { return [byte] }
            let digits = [byte >> 6, byte >> 3 & 7, byte & 7].map { UInt8(ascii: "0") + $0 }
            return [UInt8(ascii: "\\")] + digits
        }
    }

    /// With the system's clock, randomness and host name.
    public static func system() -> MaildirNameSource {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, 255)
        let host = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return MaildirNameSource(
            host: host.isEmpty ? [UInt8](ascii: "localhost") : host,
            now: {
                var time = timespec()
                clock_gettime(CLOCK_REALTIME, &time)
                return FileTime(time)
            }, random: { UInt64.random(in: 0...UInt64.max) })
    }

    mutating func next() -> [UInt8] {
        counter &+= 1
        let time = now()
        let number =
            "\(time.seconds).M\(time.nanoseconds / 1_000)P\(process)Q\(counter)R\(random)."
        return Array(number.utf8) + host
    }
}
