public import Events
internal import Glibc

/// Why blobs could not be stored or read.
public enum BlobError: Error, Hashable, Sendable {
    /// No blob of that name is known.
    case missing(Digest)
    /// The blob is known, but what lies in the pack is not it. `offset`: of the frame, in bytes.
    case damaged(Digest?, pack: UInt32, offset: UInt64, reason: String)
    /// A call of the operating system failed.
    case system(operation: String, path: String, errno: Int32)
    /// Another process is appending.
    case busy(path: String)
    /// An earlier sync failed: what was written since the last good one may not be on disk. Open the store again.
    case suspect(path: String)
    /// The directory holds no blob store of this version, or that of another vault.
    case unusable(path: String, reason: String)
    /// A blob did not decode to what was encoded; nothing of it was stored.
    case notReproducible(reason: String)

    /// The disk, or the quota, is full.
    public var isNoSpace: Bool {
        if case .system(_, _, let code) = self { return code == ENOSPC || code == EDQUOT }
        return false
    }

    /// The process may not write here.
    public var isPermission: Bool {
        if case .system(_, _, let code) = self { return [EACCES, EPERM, EROFS].contains(code) }
        return false
    }
}

extension BlobError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .missing(let digest): "no blob \(digest)"
        case .damaged(let digest, let pack, let offset, let reason):
            "\(PackFormat.fileName(pack)) is damaged at offset \(offset): \(reason)"
                + (digest.map { " (blob \($0))" } ?? "")
        case .system(let operation, let path, let errno): "\(operation) \(path): \(errorText(errno))"
        case .busy(let path): "another process is appending to \(path)"
        case .suspect(let path): "an earlier sync of \(path) failed; open it again"
        case .unusable(let path, let reason): "\(path): \(reason)"
        case .notReproducible(let reason): "not stored, because it would not decode to what came in: \(reason)"
        }
    }
}
