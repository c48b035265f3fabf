internal import Glibc

// The removal of a folder that a restore finds and does not want: only when nothing is in it but what a Maildir itself is
// made of. Whatever else somebody has put there keeps it.

extension MaildirDirectory {
    /// The name of something in the folder, or in its `tmp`, that is neither a message nor the Maildir's own; nil when
    /// there is nothing of the kind.
    public func foreignEntry() throws(MaildirError) -> [UInt8]? { try foreignEntryOfFolder(folder.raw, path: path) }
}

extension MaildirWriter {
    /// Removes the folder whose directory is `rawName`. Throws ``MaildirError/notEmpty(path:name:)`` when a message or
    /// anything foreign is in it: then it stays as it is.
    public func removeFolder(_ rawName: [UInt8]) throws(MaildirError) {
        guard rawName.first == UInt8(ascii: "."), isPlainName(rawName) else { throw .unrepresentable(name: rawName) }
        let folderPath = path.appending(component: rawName)
        let folder = try openDirectory(at: root.raw, rawName, path: folderPath)
        if let name = try foreignEntryOfFolder(folder.raw, path: folderPath) {
            throw .notEmpty(path: folderPath, name: name)
        }
        do throws(MaildirError) {
            // What somebody delivers meanwhile keeps its directory, and so the folder.
            for place in ["tmp", "new", "cur"] {
                try Self.remove(Array(place.utf8), folder.raw, folderPath, AT_REMOVEDIR)
            }
            for name in try entries(of: folder.raw, path: folderPath) where isOwnFile(name) {
                try Self.remove(name, folder.raw, folderPath, 0)
            }
            try Self.remove(rawName, root.raw, path, AT_REMOVEDIR)
        } catch {
            try Self.makePlaces(in: folder.raw, path: folderPath)
            throw error
        }
    }

    private static func remove(
        _ name: [UInt8], _ directory: Int32, _ path: [UInt8], _ flags: Int32
    ) throws(MaildirError) {
        guard withPath(name, { unlinkat(directory, $0, flags) }) != 0, errno != ENOENT else { return }
        if errno == ENOTEMPTY || errno == EEXIST { throw .notEmpty(path: path, name: name) }
        throw .system(errno: errno, during: .remove, path: path.appending(component: name))
    }
}

private func foreignEntryOfFolder(_ folder: Int32, path: [UInt8]) throws(MaildirError) -> [UInt8]? {
    let tmp = [UInt8](ascii: "tmp")
    for name in try entries(of: folder, path: path) {
        switch name {
        case MaildirPlace.cur.directoryName, MaildirPlace.new.directoryName: continue
        case tmp:
            let descriptor = try openDirectory(at: folder, tmp, path: path.appending(component: tmp))
            if let first = try entries(of: descriptor.raw, path: path.appending(component: tmp)).first {
                return tmp.appending(component: first)
            }
        default: if !isOwnFile(name) { return name }
        }
    }
    return nil
}

/// What servers keep beside the messages, and make again.
private func isOwnFile(_ name: [UInt8]) -> Bool {
    let names: Set<String> = ["maildirfolder", "dovecot-uidlist", "dovecot-keywords", "courierimapuiddb"]
    let text = String(decoding: name, as: UTF8.self)
    return names.contains(text) || text.hasPrefix("dovecot.index")
}

private func entries(of directory: Int32, path: [UInt8]) throws(MaildirError) -> [[UInt8]] {
    var reader = try DirectoryReader(directory, path: path)
    var found: [[UInt8]] = []
    try reader.readAll { buffer, range, _ throws(MaildirError) in found.append(Array(buffer[range])) }
    return found
}
