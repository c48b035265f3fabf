internal import Events

/// The fields of one line.
struct PlanFileFields {
    private let fields: [String: PlanFileValue]
    private let place: String

    init(_ line: ArraySlice<UInt8>, _ place: String) throws {
        self.place = place
        // Where in the line it ends to be JSON is of no use to anybody.
        guard line.count <= 1 << 20, let value = try? PlanFileValue(reading: line), case .object(let fields) = value
        else { throw Failure(.refused, "this is no plan: line \(place) is no JSON object of a plan") }
        self.fields = fields
    }

    private func wrong(_ name: String) -> Failure {
        Failure(.refused, "this is no plan: line \(place) has no \(name), or a wrong one")
    }

    func has(_ name: String) -> Bool { fields[name] != nil }

    func text(_ name: String) throws -> String {
        guard case .text(let text)? = fields[name] else { throw wrong(name) }
        return text
    }

    func textOrNull(_ name: String) throws -> String? {
        switch fields[name] {
        case nil, .null?: return nil
        default: return try text(name)
        }
    }

    func number(_ name: String) throws -> UInt64 {
        guard case .number(let number)? = fields[name] else { throw wrong(name) }
        return number
    }

    func flag(_ name: String) throws -> Bool {
        guard case .flag(let flag)? = fields[name] else { throw wrong(name) }
        return flag
    }

    func bytes(base64 name: String) throws -> [UInt8] {
        guard let bytes = Base64.decoded(try text(name)) else { throw wrong(name) }
        return bytes
    }

    /// A name: as text, or exactly.
    func exact(_ name: String) throws -> [UInt8] {
        if has(name + "_b64") { return try bytes(base64: name + "_b64") }
        return Array(try text(name).utf8)
    }

    func list(_ name: String) throws -> [[UInt8]] {
        guard case .list(let list)? = fields[name] else { throw wrong(name) }
        return try list.map { value in
            guard case .text(let text) = value, let bytes = Base64.decoded(text) else { throw wrong(name) }
            return bytes
        }
    }

    /// When nobody was watching; none where the file does not say.
    func gaps() throws -> [Unwatched] {
        guard has("gaps") else { return [] }
        guard case .list(let list)? = fields["gaps"] else { throw wrong("gaps") }
        return try list.map { value in
            guard case .list(let ends) = value, ends.count == 2 else { throw wrong("gaps") }
            let times = try ends.map { end -> Timestamp? in
                switch end {
                case .null: return nil
                case .number(let number): return Timestamp(rawValue: Int64(clamping: number))
                default: throw wrong("gaps")
                }
            }
            return Unwatched(from: times[0], to: times[1])
        }
    }

    func path(_ name: String) throws -> [[UInt8]]? {
        if case .null? = fields[name] { return nil }
        let path = try list(name)
        guard !path.isEmpty, path.allSatisfy({ !$0.isEmpty && !$0.contains(0) }) else { throw wrong(name) }
        return path
    }

    func selection() throws -> (word: String, numbers: [TransactionID]) {
        switch fields["select"] {
        case .text(let word)?: return (word, [])
        case .list(let list)?:
            guard case .text(let word)? = list.first else { throw wrong("select") }
            return (
                word,
                try list.dropFirst().map { value in
                    guard case .number(let number) = value else { throw wrong("select") }
                    return TransactionID(rawValue: number)
                }
            )
        default: throw wrong("select")
        }
    }
}

/// RFC 4648, 4.
private enum Base64 {
    static func decoded(_ text: String) -> [UInt8]? {
        let bytes = Array(text.utf8)
        guard bytes.count.isMultiple(of: 4) else { return nil }
        var found: [UInt8] = []
        var (sum, bits, padding): (UInt32, Int, Int) = (0, 0, 0)
        for (index, byte) in bytes.enumerated() {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = byte - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = byte - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0") + 52
            case UInt8(ascii: "+"): digit = 62
            case UInt8(ascii: "/"): digit = 63
            case UInt8(ascii: "=") where index >= bytes.count - 2:
                padding += 1
                continue
            default: return nil
            }
            guard padding == 0 else { return nil }
            sum = sum << 6 | UInt32(digit)
            bits += 6
            if bits >= 8 {
                bits -= 8
                found.append(UInt8(truncatingIfNeeded: sum >> UInt32(bits)))
                sum &= (1 << UInt32(bits)) - 1
            }
        }
        return sum == 0 ? found : nil
    }
}
