public import Events
internal import LMDB

extension BlobStore {
    /// The names of all messages that are durable, in order.
    public func messageNames() throws -> [Digest] {
        var found: [Digest] = []
        try index.environment.read { transaction in
            try transaction.cursor(index.messages) { cursor in
                while try cursor.next() {
                    if cursor.key.byteCount == Digest.byteCount { found.append(Digest(cursor.key)) }
                }
            }
        }
        return found
    }
}
