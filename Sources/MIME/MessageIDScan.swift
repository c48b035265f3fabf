extension MIMEHeaders {
    /// The message IDs of a message (``messageIDs``), found without copying its header: for every message there is.
    public static func messageIDs(in message: RawSpan, limits: HeaderScanner.Limits = .init()) -> [[UInt8]] {
        var scanner = HeaderScanner(message, limits: limits)
        var found: [[UInt8]] = []
        while let field = scanner.next(in: message) {
            guard field.name.count == 10, isMessageID(message, field.name.lowerBound) else { continue }
            found += ids(in: message.extracting(field.value).withUnsafeBytes { Array($0) })
        }
        return found
    }

    private static func isMessageID(_ message: RawSpan, _ start: Int) -> Bool {
        let name: StaticString = "message-id"
        return name.withUTF8Buffer { letters in
            letters.indices.allSatisfy { lowercased(byte(message, start + $0)) == letters[$0] }
        }
    }
}
