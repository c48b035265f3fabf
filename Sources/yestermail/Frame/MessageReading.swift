internal import Blobs
internal import Events
internal import Headers
internal import Journal
internal import MIME
internal import Vault

/// Headers and previews of stored messages, for people and for searches.
final class MessageReading {
    private let blobs: BlobStore
    private let reader: BlobReader
    /// Beyond this only the beginning of a message is read for its header.
    private static let wholeBytes: UInt64 = 4 << 20
    private static let headerBytes = 1 << 20

    init(_ vault: OpenVault) {
        blobs = vault.blobs
        reader = vault.blobs.reader()
    }

    func headers(_ digest: Digest, size: UInt64) throws -> MIMEHeaders {
        if size <= MessageReading.wholeBytes {
            return try reader.read(digest, verifying: false) { MIMEHeaders.parse($0) }
        }
        struct Enough: Error {}
        var beginning: [UInt8] = []
        do {
            try reader.stream(digest, verifying: false) { piece in
                piece.withUnsafeBytes { beginning.append(contentsOf: $0) }
                if beginning.count >= MessageReading.headerBytes { throw Enough() }
            }
        } catch is Enough {}
        return MIMEHeaders.parse(beginning)
    }

    func preview(_ digest: Digest, size: UInt64) throws -> MIMEPreview {
        if size <= MessageReading.wholeBytes { return try reader.read(digest, verifying: false) { MIMEPreview($0) } }
        struct Enough: Error {}
        var beginning: [UInt8] = []
        do {
            try reader.stream(digest, verifying: false) { piece in
                piece.withUnsafeBytes { beginning.append(contentsOf: $0) }
                if beginning.count >= 64 << 20 { throw Enough() }
            }
        } catch is Enough {}
        return MIMEPreview(beginning)
    }

    /// The raw bytes, verified, piece by piece.
    func stream(_ digest: Digest, _ sink: (RawSpan) throws -> Void) throws { try reader.stream(digest, sink) }

    /// Lets the header index follow the journal; what nobody noted is read.
    func bringUp(_ index: OpenHeaderIndex, _ journal: OpenJournal) throws {
        try index.follow(journal) { unknown in
            try readingOrder(unknown.map(\.digest)).compactMap { position in
                let (digest, size) = unknown[position]
                // What cannot be read is kept as such by the index, and asked for again at every look-up.
                guard let headers = try? headers(digest, size: size) else { return nil }
                return (digest, headers.messageIDs.map { MessageIDHash($0) })
            }
        }
    }

    /// The order in which to read messages so that each frame is decoded once: positions in `digests`.
    func readingOrder(_ digests: [Digest?]) throws -> [Int] {
        let known = digests.compactMap { $0 }
        var locations = try blobs.locations(of: known).makeIterator()
        let places = digests.map { $0 == nil ? nil : locations.next() ?? nil }
        return digests.indices.sorted { left, right in
            switch (places[left], places[right]) {
            case (let one?, let other?): one == other ? left < right : one < other
            case (nil, nil): left < right
            case (nil, _): false
            case (_, nil): true
            }
        }
    }

    /// The headers of many messages, read in the order they lie in; nil for what cannot be read.
    func headers(of messages: [MessageState?]) throws -> [MIMEHeaders?] {
        var found = [MIMEHeaders?](repeating: nil, count: messages.count)
        for index in try readingOrder(messages.map { $0?.digest }) {
            guard let message = messages[index], let digest = message.digest else { continue }
            found[index] = try? headers(digest, size: message.size)
        }
        return found
    }
}
