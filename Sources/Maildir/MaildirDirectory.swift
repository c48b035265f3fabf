internal import Glibc

/// One folder, open: its directory, `cur` and `new`, held by descriptors so that a rename of the folder does no harm.
///
/// Safe to use from several threads.
public final class MaildirDirectory: Sendable {
    /// Where the folder was when it was opened.
    public let path: [UInt8]
    public let identity: FileIdentity
    let folder: Descriptor
    let cur: Descriptor
    let new: Descriptor
    private let curIdentity: FileIdentity
    private let newIdentity: FileIdentity

    init(folder: consuming Descriptor, path: [UInt8]) throws(MaildirError) {
        let curPath = path.appending(component: MaildirPlace.cur.directoryName)
        let newPath = path.appending(component: MaildirPlace.new.directoryName)
        let cur = try openDirectory(at: folder.raw, MaildirPlace.cur.directoryName, path: curPath)
        let new = try openDirectory(at: folder.raw, MaildirPlace.new.directoryName, path: newPath)
        identity = FileIdentity(try fileStatus(of: folder.raw, path: path))
        curIdentity = FileIdentity(try fileStatus(of: cur.raw, path: curPath))
        newIdentity = FileIdentity(try fileStatus(of: new.raw, path: newPath))
        self.path = path
        self.cur = cur
        self.new = new
        self.folder = folder
    }

    func descriptor(of place: MaildirPlace) -> Int32 { place == .cur ? cur.raw : new.raw }

    func path(of place: MaildirPlace) -> [UInt8] { path.appending(component: place.directoryName) }

    /// The state of `cur` or `new` under its name now. Throws ``MaildirError/replaced(path:)`` when the name leads to
    /// another directory than the one held, whose entries would no longer be the folder's.
    func currentStatus(of place: MaildirPlace) throws(MaildirError) -> stat {
        guard let status = statusAt(folder.raw, place.directoryName) else {
            throw .system(errno: errno, during: .stat, path: path(of: place))
        }
        guard FileIdentity(status) == (place == .cur ? curIdentity : newIdentity) else {
            throw .replaced(path: path(of: place))
        }
        return status
    }

    /// The keywords of the folder's letters, by `dovecot-keywords`; none where there is no such file.
    public func keywords() throws(MaildirError) -> DovecotKeywords {
        let name = DovecotKeywords.fileName
        let content = try readSmallFile(
            at: folder.raw, name, path: path.appending(component: name), limit: DovecotKeywords.sizeLimit)
        return DovecotKeywords(parsing: content ?? [])
    }

    /// The UIDs that Dovecot gave, by `dovecot-uidlist`; nil where there is no such file, or one of another version.
    public func uidList() throws(MaildirError) -> DovecotUIDList? {
        let name = DovecotUIDList.fileName
        let content = try readSmallFile(
            at: folder.raw, name, path: path.appending(component: name), limit: DovecotUIDList.sizeLimit)
        return content.flatMap { DovecotUIDList(parsing: $0) }
    }
}
