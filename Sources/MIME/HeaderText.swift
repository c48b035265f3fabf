import CGMime
import Events

/// The value of a header field as text for people.
enum HeaderText {
    /// Unfolds and decodes a value: RFC 2047 words, raw bytes as UTF-8 if all of them are, else as ISO 8859-1.
    static func decode(_ raw: [UInt8]) -> String {
        let value = unfold(raw)
        var isASCII = true
        var hasEncodedWord = false
        var previous: UInt8 = 0
        for byte in value {
            if byte >= 0x80 { isASCII = false }
            if byte == 0x3F, previous == 0x3D { hasEncodedWord = true }
            previous = byte
        }
        if isASCII, !hasEncodedWord { return String(decoding: value, as: UTF8.self) }
        let utf8 = isASCII ? value : Array(Charset.utf8OrLatin1(value).utf8)
        guard hasEncodedWord else { return String(decoding: utf8, as: UTF8.self) }
        let decoded = GMime.transform(utf8) { g_mime_utils_header_decode_text(nil, $0) }
        return String(decoding: decoded ?? utf8, as: UTF8.self)
    }

    /// Without line ends, and without blanks at both ends. A fold leaves the blanks that follow it (RFC 5322, 2.2.3).
    static func unfold(_ raw: [UInt8]) -> [UInt8] {
        var value: [UInt8] = []
        value.reserveCapacity(raw.count)
        var index = 0
        while index < raw.count {
            let byte = raw[index]
            let isLineEnd = byte == 10 || (byte == 13 && index + 1 < raw.count && raw[index + 1] == 10)
            // Blanks at the beginning go; a tab that folds becomes a blank.
            if !isLineEnd, !(value.isEmpty && (byte == 0x20 || byte == 9)) {
                let follows = index > 0 && raw[index - 1] == 10
                value.append(byte == 9 && follows ? 0x20 : byte)
            }
            index += 1
        }
        while let last = value.last, last == 0x20 || last == 9 || last == 13 { value.removeLast() }
        return value
    }

    /// The instant a `Date` field names.
    static func date(_ raw: [UInt8]) -> Timestamp? {
        GMime.initialise()
        let value = unfold(raw)
        // No date is longer; comments may stand after it.
        guard !value.isEmpty else { return nil }
        return GMime.withCString(Array(value.prefix(256))) { text -> Timestamp? in
            guard let date = g_mime_utils_header_decode_date(text) else { return nil }
            defer { g_date_time_unref(date) }
            return Timestamp(seconds: Int64(g_date_time_to_unix(date)))
        }
    }
}
