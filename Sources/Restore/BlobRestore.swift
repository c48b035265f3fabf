internal import Blobs
public import Connectors
public import Events
public import Vault

/// Putting back what is missing or damaged on the live side, by digest: what a mailbox should have, by the vault's newest
/// knowledge, is held against every byte it has.
public enum BlobRestore {
    /// What is to be asked of a planner. Nothing is moved and no flag is set.
    public static func request(_ account: Account, as point: TransactionID, at target: Location) -> RestoreRequest {
        var request = RestoreRequest(
            account: account, point: point, selection: .account(deletedSince: nil), target: target)
        request.verifiesBytes = true
        return request
    }

    /// Messages above that are not kept, and so not replaced.
    private static let largestKept = 256 << 20

    /// Puts the damaged bytes that `plan` removes into the vault first, so that nothing is removed that the vault does not
    /// have, and the restore can be taken back.
    public static func keepDamaged(_ plan: RestorePlan, in vault: OpenVault) throws {
        let unknown = try plan.steps.filter { try $0.action == .remove && !vault.blobs.contains($0.digest) }
        guard !unknown.isEmpty else { return }
        let view = try plan.request.target.view()
        var listings: [[UInt8]: any SourceListing] = [:]
        for folder in try view.folders() where folder.problem == nil { listings[folder.name] = try view.list(folder) }
        let encoder = vault.blobs.encoder()
        for step in unknown {
            let name = plan.folders[step.folder].name
            guard let listing = listings[name], let position = listing.position(step.name) else {
                throw Failure(.failed, "a damaged message has vanished meanwhile", hint: "Run it again")
            }
            let bytes = try read(try listing.open(position))
            guard Digest(hashing: bytes.span.bytes) == step.digest else {
                throw Failure(.failed, "a damaged message has changed meanwhile", hint: "Run it again")
            }
            try encoder.add(bytes.span.bytes)
            if encoder.isFull { try keep(encoder, in: vault) }
        }
        if !encoder.isEmpty { try keep(encoder, in: vault) }
    }

    private static func keep(_ encoder: BlobEncoder, in vault: OpenVault) throws {
        let batch = try encoder.finish()
        try vault.appendBlobs {
            try vault.blobs.append(batch)
            try vault.blobs.sync()
        }
    }

    private static func read(_ message: any SourceMessage) throws -> [UInt8] {
        let reader = try message.reader()
        var found: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try reader.read(into: $0) }
            if count == 0 { return found }
            found += buffer[..<count]
            guard found.count <= largestKept else {
                throw Failure(.refused, "a damaged message has more than \(largestKept) bytes, too many to keep")
            }
        }
    }
}
