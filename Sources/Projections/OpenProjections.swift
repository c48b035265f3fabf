public import Events
internal import Files
internal import Journal
internal import LMDB
public import SystemPackage

/// What is computed from the journal alone: item histories as JSON, and the indexes that answer quickly.
///
/// An LMDB environment of its own: truth and opinion share no file, and deleting it loses nothing. The tables are
/// described in `Specs/Format/Projections.md`. State and position change together (`Specs/Invariants.md`, 4).
public final class OpenProjections: Sendable {
    /// Another version means: rebuild.
    public static let version: UInt64 = 3

    let environment: Environment
    let histories, states, live, deleted, folders, accounts, notes, meta, purged: Table
    public let isReadOnly: Bool

    static let tables = ["histories", "states", "live", "deleted", "folders", "accounts", "notes", "meta", "purged"]

    /// Opens the projections in the existing directory, or makes empty ones there.
    ///
    /// Throws ``ProjectionsUnusable`` when what is there cannot be used: it is to be set aside and rebuilt.
    public init(_ directory: FilePath, readOnly: Bool = false, withoutSync: Bool = false) throws {
        switch Inspection(of: directory.string) {
        case .sound: break
        case .missing: if readOnly { throw ProjectionsUnusable(reason: "they are missing") }
        case .damaged(let why): throw ProjectionsUnusable(reason: why)
        }
        var options = Environment.Options()
        options.readOnly = readOnly
        options.withoutLock = readOnly && !Directory.isWritable(directory)
        options.withoutSync = withoutSync
        do {
            environment = try Environment(path: directory.string, tables: OpenProjections.tables, options: options)
        } catch {
            guard error.isDamage || error.during == .table else { throw error }
            throw ProjectionsUnusable(reason: "\(error)")
        }
        histories = environment.table("histories")
        states = environment.table("states")
        live = environment.table("live")
        deleted = environment.table("deleted")
        folders = environment.table("folders")
        accounts = environment.table("accounts")
        notes = environment.table("notes")
        meta = environment.table("meta")
        purged = environment.table("purged")
        isReadOnly = readOnly
        if let found = try storedPosition(), found.version != OpenProjections.version {
            throw ProjectionsUnusable(reason: "they are of version \(found.version)")
        }
    }

    /// How far the projections follow the journal.
    public func position() throws -> TransactionID { try storedPosition()?.transaction ?? .beginning }

    func storedPosition() throws -> FollowedPosition? {
        try environment.read { (transaction: borrowing ReadTransaction) -> FollowedPosition? in
            guard let bytes = try transaction.value(meta, Key(0 as UInt64)) else {
                // A changed key: what follows from the beginning would be counted twice.
                guard try transaction.count(meta) == 0 else {
                    throw ProjectionsUnusable(reason: "their position is lost")
                }
                return nil
            }
            // The first version had no checksums.
            if bytes.byteCount == 48 { throw ProjectionsUnusable(reason: "they are of version 1") }
            return try FollowedPosition(RowKind.meta.payload(Key(0 as UInt64), bytes))
        }
    }

    /// What is wrong with the pages and rows of the projections in `directory` as they lie in the file, the first findings.
    /// Reads by `pread` only. Nothing is wrong with those whose maker died before he committed anything: they follow the journal from its
    /// beginning. An empty file is no such thing.
    public static func verify(_ directory: FilePath) -> [String] {
        if Inspection.isUnbegun(directory.string), PageWalk.size(directory.string) > 0 { return [] }
        return PageWalk.verify(directory.string, tables: tables, optional: ["purged"], row: fault).map(\.description)
    }

    private static func fault(_ table: String, _ key: RawSpan, _ value: RawSpan) -> String? {
        RowKind(table)?.isSound(key, value) ?? false ? nil : "a row does not have its checksum"
    }

    /// Puts everything on the disk, where the projections were opened without syncs.
    public func sync() throws { try environment.sync() }

    /// Makes the database as small as what is in it, while others read and follow. False where that cannot be done on this file system.
    public func compactDatabase() throws -> Bool { try environment.compact(beside: environment.path + ".compacting") }

    /// Bytes on the disk.
    public func storedBytes() -> Int { environment.usedBytes() }
}

/// The projections cannot be used and must be rebuilt from the journal; nothing is lost.
public struct ProjectionsUnusable: Error, Hashable, Sendable, CustomStringConvertible {
    public let reason: String

    public init(reason: String) { self.reason = reason }

    public var description: String { "the projections cannot be used: \(reason)" }
}
