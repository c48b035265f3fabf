internal import CLinux
internal import Glibc

/// One folder of a ``MaildirWriter``, open for writing.
public final class MaildirTargetFolder {
    /// The directory in the root; empty for INBOX.
    public let rawName: [UInt8]
    public let path: [UInt8]
    let folder: Descriptor
    let tmp: Descriptor
    let new: Descriptor
    let cur: Descriptor
    let writer: MaildirWriter

    init(folder: consuming Descriptor, rawName: [UInt8], path: [UInt8], writer: MaildirWriter) throws(MaildirError) {
        func open(_ name: [UInt8], _ folder: borrowing Descriptor) throws(MaildirError) -> Descriptor {
            try openDirectory(at: folder.raw, name, path: path.appending(component: name))
        }
        tmp = try open([UInt8](ascii: "tmp"), folder)
        new = try open([UInt8](ascii: "new"), folder)
        cur = try open([UInt8](ascii: "cur"), folder)
        self.folder = folder
        (self.rawName, self.path, self.writer) = (rawName, path, writer)
    }

    func descriptor(of place: MaildirPlace) -> Int32 { place == .cur ? cur.raw : new.raw }

    func path(of place: MaildirPlace) -> [UInt8] { path.appending(component: place.directoryName) }

    /// Delivers a message that is in memory. Returns where it is now, and its name.
    public func deliver(
        _ message: Span<UInt8>, _ options: MaildirDelivery.Options
    ) throws(MaildirError) -> (place: MaildirPlace, name: [UInt8]) {
        let delivery = try MaildirDelivery(to: self, options)
        try delivery.write(message)
        return try delivery.finish()
    }

    /// Begins a delivery whose bytes come in chunks.
    public func begin(_ options: MaildirDelivery.Options) throws(MaildirError) -> MaildirDelivery {
        try MaildirDelivery(to: self, options)
    }

    /// Gives the message other flags, by a rename into `cur`. Throws ``MaildirError/vanished(name:)`` if it is not there
    /// under that name, ``MaildirError/exists(name:)`` if another has the new one. Returns the new name.
    public func setFlags(
        _ flags: MaildirFlags, unknownFlags: [UInt8] = [], ofMessage name: [UInt8], in place: MaildirPlace
    ) throws(MaildirError) -> [UInt8] {
        guard isPlainName(name) else { throw .unrepresentable(name: name) }
        let base = MaildirFileName(parsing: name).base
        let new = try Self.checked(MaildirFileName(base: base, flags: flags, unknownFlags: unknownFlags).bytes)
        if place == .cur, new == name { return name }
        try move(name, from: descriptor(of: place), to: new, in: .cur)
        return new
    }

    /// Removes a message. Throws ``MaildirError/vanished(name:)`` if it is not there under that name.
    public func remove(_ name: [UInt8], in place: MaildirPlace) throws(MaildirError) {
        guard isPlainName(name) else { throw .unrepresentable(name: name) }
        if withPath(name, { unlinkat(descriptor(of: place), $0, 0) }) != 0 {
            if errno == ENOENT { throw .vanished(name: name) }
            throw .system(errno: errno, during: .remove, path: path(of: place).appending(component: name))
        }
        if writer.durability == .each { try writer.sync(descriptor(of: place), path: path(of: place)) }
    }

    /// The letters of the keywords in this folder; a keyword that has none yet is given one, in `dovecot-keywords`.
    /// `unfit`: those for which none of the 26 letters was left, or that cannot be in the file.
    public func letters(
        for keywords: [[UInt8]]
    ) throws(MaildirError) -> (flags: MaildirFlags, unfit: [[UInt8]]) {
        var known = try readKeywords()
        var result = Self.assign(keywords, in: &known)
        guard result.isChanged else { return (result.flags, result.unfit) }
        // Again under the lock: another may have given letters meanwhile.
        let name = DovecotKeywords.fileName
        var lock = try LockedFile(name, in: folder.raw, path: path.appending(component: name))
        known = try readKeywords()
        result = Self.assign(keywords, in: &known)
        if result.isChanged { try lock.replace(with: known.bytes, durable: writer.durability == .each) }
        return (result.flags, result.unfit)
    }

    private func readKeywords() throws(MaildirError) -> DovecotKeywords {
        let name = DovecotKeywords.fileName
        let content = try readSmallFile(
            at: folder.raw, name, path: path.appending(component: name), limit: DovecotKeywords.sizeLimit)
        return DovecotKeywords(parsing: content ?? [])
    }

    private static func assign(
        _ keywords: [[UInt8]], in known: inout DovecotKeywords
    ) -> (flags: MaildirFlags, unfit: [[UInt8]], isChanged: Bool) {
        let before = known
        var flags: MaildirFlags = []
        var unfit: [[UInt8]] = []
        for keyword in keywords {
            if let flag = known.insert(keyword).flatMap({ MaildirFlags(keyword: $0) }) {
                flags.formUnion(flag)
            } else {
                unfit.append(keyword)
            }
        }
        return (flags, unfit, known != before)
    }

    // MARK: Names

    /// Renames without overwriting.
    func move(
        _ name: [UInt8], from source: Int32, to newName: [UInt8], in place: MaildirPlace
    ) throws(MaildirError) {
        let target = descriptor(of: place)
        var result = withPath(name) { old in
            withPath(newName) { renameat2(source, old, target, $0, UInt32(CLINUX_RENAME_NOREPLACE)) }
        }
        if result != 0, errno == EINVAL || errno == ENOSYS {
            // A file system without RENAME_NOREPLACE: a second link, which does not overwrite either.
            result = withPath(name) { old in withPath(newName) { linkat(source, old, target, $0, 0) } }
            if result == 0 { result = withPath(name) { unlinkat(source, $0, 0) } }
        }
        if result != 0 {
            switch errno {
            case EEXIST: throw .exists(name: newName)
            case ENOENT: throw .vanished(name: name)
            case ENAMETOOLONG: throw .nameTooLong(name: newName)
            default: throw .system(errno: errno, during: .rename, path: path(of: place).appending(component: newName))
            }
        }
        if writer.durability == .each { try writer.sync(target, path: path(of: place)) }
    }

    /// A name for a message's file: printable, of one component, not hidden.
    static func checked(_ name: [UInt8]) throws(MaildirError) -> [UInt8] {
        let isSafe =
            isPlainName(name) && name.first != UInt8(ascii: ".") && name.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
        guard isSafe else { throw .unrepresentable(name: name) }
        if name.count > 255 { throw .nameTooLong(name: name) }
        return name
    }
}
