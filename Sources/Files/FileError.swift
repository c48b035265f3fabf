internal import Glibc
public import SystemPackage

/// What the operating system answered when a file could not be had or written.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    public let code: Errno
    public let operation: String
    public let path: FilePath

    public init(_ code: Errno, _ operation: String, _ path: FilePath) {
        (self.code, self.operation, self.path) = (code, operation, path)
    }

    /// Of the call that has just failed.
    static func last(_ operation: String, _ path: FilePath) -> FileError {
        FileError(Errno(rawValue: errno), operation, path)
    }

    public var isMissing: Bool { code == .noSuchFileOrDirectory || code == .notDirectory }
    public var isPermission: Bool { [.permissionDenied, .notPermitted, .readOnlyFileSystem].contains(code) }
    public var isNoSpace: Bool { code == .noSpace || code.rawValue == EDQUOT }

    public var description: String { "\(operation) \(path): \(code)" }
}
