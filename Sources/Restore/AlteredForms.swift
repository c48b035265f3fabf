internal import Blobs
internal import Connectors
internal import Events
internal import Vault

/// What a target would have made of messages of the vault.
struct AlteredForms {
    private let forms: [DeliveredForm]
    private let reader: BlobReader

    init(_ target: any TargetView, _ vault: OpenVault) {
        forms = target.forms
        reader = vault.blobs.reader()
    }

    /// Digest and size of the message in each form that is not its own.
    func of(_ digest: Digest) -> [(digest: Digest, size: UInt64)] {
        var found: [(digest: Digest, size: UInt64)] = []
        for form in forms {
            var hash = DigestBuilder()
            var size: UInt64 = 0
            var previous: UInt8 = 0
            var piece: [UInt8] = []
            // What cannot be read has no other form; its delivery says why.
            let isRead: Void? = try? reader.stream(digest) { bytes in
                piece.removeAll(keepingCapacity: true)
                form.append(bytes, after: &previous, to: &piece)
                size += UInt64(piece.count)
                hash.update(piece.span.bytes)
            }
            guard isRead != nil else { return [] }
            let other = hash.finish()
            if other != digest, !found.contains(where: { $0.digest == other }) { found.append((other, size)) }
        }
        return found
    }
}
