/// What went wrong with a Maildir. Paths and names are bytes, as the file system has them.
public enum MaildirError: Error, Hashable, Sendable {
    /// The system refused `during` at `path`. A folder of which this is said is unknown, never empty.
    case system(errno: Int32, during: Step, path: [UInt8])
    /// The directory has neither `cur` nor `new` nor folders that have them.
    case notAMaildir(path: [UInt8])
    /// The entry of that name is a symbolic link, which is never followed.
    case symbolicLink(path: [UInt8])
    /// Another directory stands where the one meant stood.
    case replaced(path: [UInt8])
    /// The message is in neither `cur` nor `new` any more, under any flags.
    case vanished(name: [UInt8])
    /// The entry is a directory, a FIFO, a device, a socket or a symbolic link: no message.
    case notARegularFile(name: [UInt8])
    /// The file did not have the length that `fstat` told, before and after it was read.
    case changedWhileRead(name: [UInt8])
    /// The file is larger than the caller's limit, in octets.
    case tooLarge(name: [UInt8], size: Int64)
    /// The name would have more than 255 octets on disk.
    case nameTooLong(name: [UInt8])
    /// No name on disk stands for this one: it is empty, or would lead out of the Maildir.
    case unrepresentable(name: [UInt8])
    /// A file of that name is there already; nothing was overwritten.
    case exists(name: [UInt8])
    /// The folder is not removed: that is in it.
    case notEmpty(path: [UInt8], name: [UInt8])
    /// Another program holds the lock file at `path`.
    case locked(path: [UInt8])
    /// The kernel's limit on inotify is reached; `sysctl` is the setting to raise.
    case watchLimit(sysctl: String, path: [UInt8])
    /// More than 4 GiB of names in one folder.
    case folderTooLarge(path: [UInt8])

    public enum Step: String, Hashable, Sendable {
        case open, list, stat, read, write, create, rename, remove, sync, watch, wait
    }
}

extension MaildirError: CustomStringConvertible {
    public var description: String {
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        switch self {
        case .system(let code, let step, let path):
            return "\(step.rawValue) \(text(path)): \(errorText(code)) (\(code))"
        case .notAMaildir(let path): return "\(text(path)) has neither cur nor new"
        case .symbolicLink(let path): return "\(text(path)) is a symbolic link, which is not followed"
        case .replaced(let path): return "\(text(path)) was replaced by another directory"
        case .vanished(let name): return "the message \(text(name)) is gone"
        case .notARegularFile(let name): return "\(text(name)) is not a regular file"
        case .changedWhileRead(let name): return "\(text(name)) changed while it was read"
        case .tooLarge(let name, let size): return "\(text(name)) has \(size) octets, more than allowed"
        case .nameTooLong(let name): return "the name \(text(name)) is longer than 255 octets on disk"
        case .unrepresentable(let name): return "no Maildir name stands for \(text(name))"
        case .exists(let name): return "\(text(name)) exists already"
        case .notEmpty(let path, let name): return "\(text(path)) is not empty: \(text(name))"
        case .locked(let path): return "\(text(path)) is held by another program"
        case .watchLimit(let sysctl, let path): return "cannot watch \(text(path)): raise \(sysctl)"
        case .folderTooLarge(let path): return "\(text(path)) has more than 4 GiB of names"
        }
    }
}
