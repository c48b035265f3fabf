internal import Blobs
public import Connectors
public import Events
internal import Journal
internal import Projections
public import Vault

/// Brings lost blobs back from where they came: a message that is still in its mailbox, with the same bytes, is read again.
public struct BlobRefetch {
    private let vault: OpenVault

    public init(_ vault: OpenVault) { self.vault = vault }

    private struct Wanted {
        var folder: [UInt8]
        var name: [UInt8]
        var digest: Digest
    }

    /// Reads what of `lost` is live in `account` again from its `source`. Returns the digests that are stored now.
    public func run(_ lost: Set<Digest>, _ account: Account, _ source: any Source) throws -> Set<Digest> {
        let wanted = try live(lost, account.number)
        guard !wanted.isEmpty else { return [] }
        var found: Set<Digest> = []
        var buffer: [UInt8] = []
        for folder in try source.folders() {
            let here = Dictionary(wanted.filter { $0.folder == folder.name }.map { ($0.name, $0.digest) }) { first, _ in
                first
            }
            guard !here.isEmpty, folder.problem == nil else { continue }
            let listing: any SourceListing
            do { listing = try source.list(folder) } catch is SourceFailure { continue }
            for position in 0..<listing.count {
                guard let digest = here[Array(listing.name(position))], !found.contains(digest) else { continue }
                do { try listing.open(position).read(into: &buffer) } catch is SourceFailure { continue }
                // Only the same bytes are the same message.
                guard Digest(hashing: buffer.span.bytes) == digest else { continue }
                try store(buffer)
                found.insert(digest)
            }
        }
        return found
    }

    private func live(_ lost: Set<Digest>, _ account: AccountNumber) throws -> [Wanted] {
        let projections = try vault.projections()
        var pointers: [ItemPointer] = []
        try projections.pointers(account, asOf: try projections.position()) {
            if !$0.pointer.isDeleted { pointers.append($0) }
        }
        var folders: [UInt32: [UInt8]] = [:]
        var messages: [(folder: UInt32, name: [UInt8], digest: Digest)] = []
        try vault.journal.states(pointers) { recorded in
            if let folder = recorded.state.folder {
                folders[recorded.item.number] = folder.sourceName
            } else if let message = recorded.state.message, let digest = message.digest, lost.contains(digest) {
                messages.append((message.folder, message.sourceName, digest))
            }
        }
        return messages.compactMap { message in
            folders[message.folder].map { Wanted(folder: $0, name: message.name, digest: message.digest) }
        }
    }

    private func store(_ bytes: [UInt8]) throws {
        let encoder = vault.blobs.encoder()
        try encoder.add(bytes.span.bytes)
        let batch = try encoder.finish()
        try vault.appendBlobs {
            try vault.blobs.append(batch)
            try vault.blobs.sync()
        }
    }
}
