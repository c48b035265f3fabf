internal import Blobs
public import Events
internal import Files
internal import Headers
internal import Journal
internal import Projections
public import SystemPackage

/// What is wrong with the files of a vault that LMDB would be trusted with; found by reading them, without LMDB.
public enum VaultInspection {
    public enum Part: String, Hashable, Sendable { case vault, journal, blobs, projections }

    public struct Finding: Hashable, Sendable {
        public var part: Part
        /// Relative to the vault.
        public var file: String
        public var offset: Int?
        public var transaction: TransactionID?
        public var problem: String
    }

    /// Looks at every page. A part that is missing is none of its findings: opening makes it again.
    public static func run(_ directory: FilePath) throws -> [Finding] {
        var found: [Finding] = []
        var id: UniqueID?
        do { id = try VaultFormat(readingIn: directory).id } catch let failure as Failure {
            // What is no vault at all, or a newer one, is not damaged.
            let isVault = Directory.exists(directory.appending("journal/segments"))
            guard isVault, failure.code == .damaged || failure.code == .noVault else { throw failure }
            found.append(Finding(part: .vault, file: VaultFormat.fileName, problem: failure.message))
        }
        let journal = directory.appending("journal")
        if JournalRebuild.inspect(journal) != .missing {
            for finding in JournalRebuild.verifyRecords(in: journal) {
                found.append(
                    Finding(
                        part: .journal, file: finding.file, offset: finding.offset, transaction: finding.transaction,
                        problem: finding.description))
            }
        }
        let blobs = directory.appending("blobs")
        if Directory.exists(blobs.appending("index/data.mdb")) {
            for finding in BlobStore.verifyIndex(blobs.string, vault: id?.bytes) {
                found.append(
                    Finding(
                        part: .blobs, file: "blobs/index/data.mdb", offset: Int(clamping: finding.offset),
                        problem: finding.reason))
            }
        }
        let projections = directory.appending("projections")
        if Directory.exists(projections.appending("data.mdb")) {
            for problem in OpenProjections.verify(projections) {
                found.append(Finding(part: .projections, file: "projections/data.mdb", problem: problem))
            }
        }
        let headers = directory.appending("headers")
        if Directory.exists(headers.appending("data.mdb")) {
            for problem in OpenHeaderIndex.verify(headers) {
                found.append(Finding(part: .projections, file: "headers/data.mdb", problem: problem))
            }
        }
        return found
    }
}
