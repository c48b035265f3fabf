import Glibc

/// Where zones come from by their names: the time zone database of the system, or another one (tests, containers).
public struct ZoneDatabase: Sendable {
    /// A folder of compiled zones, as Debian's `tzdata` has it.
    public let directory: String

    /// The system's.
    public static let system = ZoneDatabase(directory: "/usr/share/zoneinfo")

    public init(directory: String) { self.directory = directory }

    /// The zone of a name, in whatever case it is written. `Z`, `UTC` and `GMT` are known without a database.
    public func zone(named name: String) -> Zone? {
        guard ZoneDatabase.isName(name) else { return nil }
        if ["z", "utc", "gmt"].contains(name.lowercased()) { return .utc }
        for spelling in [name, ZoneDatabase.titleCase(name), name.uppercased()] {
            let bytes = readFile(directory + "/" + spelling, limit: 1 << 20)
            if let bytes, let zone = Zone(name: spelling, tzif: bytes) { return zone }
        }
        return nil
    }

    /// The zone of this process: that of `TZ`, else that of `/etc/localtime`, else UTC.
    ///
    /// - Parameters:
    ///   - environment: the value of `TZ`; nil where it is not set.
    ///   - localtime: the link to (or copy of) the zone of the machine.
    public func local(environment: String?, localtime: String = "/etc/localtime") -> Zone {
        if var name = environment {
            if name.hasPrefix(":") { name.removeFirst() }
            if name.isEmpty { return .utc }
            if let zone = zone(named: name) ?? Zone(name: name, posixRule: name) { return zone }
            // As the C library does with a zone it does not know.
            return .utc
        }
        guard let bytes = readFile(localtime, limit: 1 << 20) else { return .utc }
        return Zone(name: nameOfLink(localtime) ?? "local", tzif: bytes) ?? .utc
    }

    private func nameOfLink(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        let target = String(cString: resolved)
        guard let range = target.firstRange(of: "/zoneinfo/") else { return nil }
        let name = String(target[range.upperBound...])
        return ZoneDatabase.isName(name) ? name : nil
    }

    /// Letters, digits, `_`, `+`, `-`, and `/` between parts: never a path out of the folder.
    static func isName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard !bytes.isEmpty, bytes.count <= 64, bytes.first != 0x2F, bytes.last != 0x2F else { return false }
        var previous: UInt8 = 0
        for byte in bytes {
            let isLetter = (65...90).contains(byte & 0xDF) && byte >= 65
            let isOther = (48...57).contains(byte) || [0x2B, 0x2D, 0x5F].contains(byte)
            guard isLetter || isOther || (byte == 0x2F && previous != 0x2F) else { return false }
            previous = byte
        }
        return true
    }

    /// `america/port_of_spain` as the database spells it: `America/Port_of_Spain`.
    private static func titleCase(_ name: String) -> String {
        var result = ""
        var word = ""
        func finished(_ word: String) -> String {
            ["of", "au", "es"].contains(word) ? word : word.prefix(1).uppercased() + word.dropFirst()
        }
        for character in name.lowercased() {
            if "/_-".contains(character) {
                result += finished(word) + String(character)
                word = ""
            } else {
                word.append(character)
            }
        }
        return result + finished(word)
    }
}

/// The content of a small file; nil where there is none or it is larger than `limit`.
private func readFile(_ path: String, limit: Int) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var content: [UInt8] = []
    while content.count <= limit {
        let piece = [UInt8](unsafeUninitializedCapacity: 16_384) { buffer, count in
            count = max(0, read(descriptor, buffer.baseAddress, buffer.count))
        }
        if piece.isEmpty { return content.isEmpty ? nil : content }
        content += piece
    }
    return nil
}
