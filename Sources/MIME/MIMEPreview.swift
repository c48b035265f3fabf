/// What a person sees of a message first: its text, and what is attached to it.
public struct MIMEPreview: Sendable {
    /// A part that is a file.
    public struct Attachment: Sendable, Equatable {
        /// The name that is proposed for the file, decoded; nil if there is none. Never a safe path, and not safe for a
        /// terminal.
        public let fileName: String?
        /// `application/pdf`, lower-case.
        public let contentType: String
        /// Its size in bytes, decoded.
        public let byteCount: Int
        /// Whether it belongs to the text (an image of it, a signature) rather than being attached.
        public let isInline: Bool
    }

    /// The first text: `text/plain`, else `text/html` without its tags. Lines end with LF. Not safe for a terminal.
    public let text: String
    /// Whether `text` was HTML.
    public let isFromHTML: Bool
    /// The files, in the order of the message.
    public let attachments: [Attachment]
    /// Whether there is more than this says: more text than the limit, or more parts or levels than are looked at.
    public let isTruncated: Bool

    /// Whether there is an attachment that is no part of the text.
    public var hasAttachment: Bool { attachments.contains { !$0.isInline } }

    /// Looks into a message. Never fails: what is no message is text.
    ///
    /// - Parameters:
    ///   - message: the whole message. At most 64 MiB of it are looked at.
    ///   - maxTextBytes: how much of the encoded text is decoded.
    public init(_ message: RawSpan, maxTextBytes: Int = 1 << 20) {
        let limit = 64 << 20
        let isCut = message.byteCount > limit
        let message = isCut ? message.extracting(0..<limit) : message
        let scanner = PartScanner(message)
        var isTruncated = isCut || scanner.isTruncated
        let plain = scanner.parts.firstIndex { $0.type == "text/plain" && !$0.isAttachment }
        let html = scanner.parts.firstIndex { $0.type == "text/html" && !$0.isAttachment }
        if let index = plain ?? html {
            let part = scanner.parts[index]
            let range = part.body.prefix(max(0, maxTextBytes))
            if range.count < part.body.count { isTruncated = true }
            let bytes = TransferEncoding.decode(message, range, part.encoding)
            let decoded = Charset.text(bytes, charset: part.charset)
            isFromHTML = plain == nil
            text = isFromHTML ? HTMLText.plain(decoded) : MIMEPreview.withLineFeeds(decoded)
        } else {
            (text, isFromHTML) = ("", false)
        }
        attachments = scanner.parts.enumerated().compactMap { index, part in
            guard index != (plain ?? html), part.isFile else { return nil }
            return Attachment(
                fileName: part.fileName, contentType: part.type,
                byteCount: TransferEncoding.decodedCount(message, part.body, part.encoding),
                isInline: !part.isAttachment)
        }
        self.isTruncated = isTruncated
    }

    /// Looks into a message (``init(_:maxTextBytes:)-(RawSpan,_)``).
    public init(_ message: [UInt8], maxTextBytes: Int = 1 << 20) {
        self.init(message.span.bytes, maxTextBytes: maxTextBytes)
    }

    /// Whether a message has an attachment, without decoding anything of it.
    public static func hasAttachment(_ message: RawSpan) -> Bool {
        PartScanner(message).parts.contains { $0.isAttachment }
    }

    /// Whether a message has an attachment (``hasAttachment(_:)-(RawSpan)``).
    public static func hasAttachment(_ message: [UInt8]) -> Bool { hasAttachment(message.span.bytes) }

    private static func withLineFeeds(_ text: String) -> String {
        guard text.utf8.contains(13) else { return text }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            if byte == 10, bytes.last == 13 { bytes.removeLast() }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension MIMEPart {
    /// Whether it is a file of its own, by what its header says.
    var isAttachment: Bool {
        if type == "application/pkcs7-signature" || type == "application/x-pkcs7-signature"
            || type == "application/pgp-signature"
        {
            return false
        }
        if disposition == "attachment" { return true }
        // Images of HTML text are parts beside it, and named by it.
        if parentType == "multipart/related", hasContentID { return false }
        if fileName != nil { return true }
        return !type.hasPrefix("text/") && !type.hasPrefix("multipart/") && disposition != "inline"
            && !["message/delivery-status", "application/pgp-encrypted"].contains(type)
    }

    /// Whether it is listed: everything but the text.
    var isFile: Bool { isAttachment || !(type == "text/plain" || type == "text/html" || type.hasPrefix("multipart/")) }
}
