public import Events
internal import Glibc
internal import Maildir

/// A Maildir++ as a ``Target``.
public final class MaildirTarget: Target {
    private let writer: MaildirWriter
    private let path: String

    /// Opens the Maildir at `path`, or makes it; its parent must exist. Throws ``TargetFailure``.
    public init(path: String) throws {
        do throws(MaildirError) { writer = try MaildirWriter(path: Array(path.utf8)) } catch {
            throw TargetFailure(error)
        }
        self.path = path
    }

    public func folder(_ state: FolderState) throws -> any TargetFolder {
        do throws(MaildirError) {
            let folder = try writer.folder(MaildirTarget.path(of: state))
            return MaildirTargetFolderWriter(folder, in: try Maildir(path: Array(path.utf8), layout: .maildirPlusPlus))
        } catch {
            throw TargetFailure(error)
        }
    }

    public func removeFolder(_ name: [UInt8]) throws {
        do throws(MaildirError) { try writer.removeFolder(name) } catch { throw TargetFailure(error) }
    }

    /// The exact name the folder had, where it was a Maildir's and says the same; else its path, encoded.
    fileprivate static func path(of state: FolderState) -> MaildirFolderPath {
        if state.sourceName.first == UInt8(ascii: "."), state.sourceName.count > 1 {
            let exact = MaildirFolderPath(directory: state.sourceName)
            if exact.components.map(\.bytes) == state.path { return exact }
        }
        return MaildirFolderPath(state.path)
    }

    public func setSubscriptions(_ paths: [[[UInt8]]]) throws -> [[[UInt8]]] {
        do throws(MaildirError) {
            // Under the exact name of the folder that is there: a name that is no modified UTF-7 has no other.
            var exact: [[[UInt8]]: MaildirFolderPath] = [:]
            let maildir = try Maildir(path: Array(path.utf8), layout: .maildirPlusPlus)
            for folder in try maildir.folders() { exact[folder.path.components.map(\.bytes)] = folder.path }
            // What is subscribed and no folder here is a mailbox of somebody else: not ours to leave, and its name is no
            // directory's here.
            func isMount(_ path: [[UInt8]]) -> Bool { path.count > 1 && exact[path] == nil }
            var mounts = (try maildir.subscriptions()?.folders ?? []).filter { isMount($0.components.map(\.bytes)) }
            let known = Set(mounts.map { $0.components.map(\.bytes) })
            for path in paths where isMount(path) && !known.contains(path) {
                mounts.append(
                    MaildirFolderPath(
                        path.map {
                            .init($0, isVerbatim: $0.contains(UInt8(ascii: ".")) || $0.contains(UInt8(ascii: "/")))
                        }
                    ))
            }
            let folders = paths.filter { !isMount($0) }.map { exact[$0] ?? MaildirFolderPath($0) }
            return try writer.setSubscriptions(folders, mounts: mounts).map { $0.components.map(\.bytes) }
        } catch {
            throw TargetFailure(error)
        }
    }

    public func sync() throws {
        do throws(MaildirError) { try writer.sync() } catch { throw TargetFailure(error) }
    }
}

extension TargetFailure {
    init(_ error: MaildirError) {
        switch error {
        case .nameTooLong, .unrepresentable, .notEmpty: self = .refused("\(error)")
        case .exists: self = .exists
        case .vanished: self = .vanished
        case .system(let code, _, _):
            self = .unavailable(
                "\(error)", isNoSpace: code == ENOSPC || code == EDQUOT,
                isPermission: code == EACCES || code == EPERM || code == EROFS)
        default: self = .unavailable("\(error)", isNoSpace: false, isPermission: false)
        }
    }
}

private final class MaildirTargetFolderWriter: TargetFolder {
    private let folder: MaildirTargetFolder
    private let maildir: Maildir
    /// Where messages were when last looked for.
    private var listing: MaildirListing?
    /// The base names there, once one has been asked for: two files of one base name would be one message to everybody.
    private var names: Set<[UInt8]>?

    init(_ folder: MaildirTargetFolder, in maildir: Maildir) {
        self.folder = folder
        self.maildir = maildir
    }

    func deliver(
        _ message: Delivery, write: ((RawSpan) throws -> Void) throws -> Void,
        done: @escaping (Result<Delivered, TargetFailure>) throws -> Void
    ) throws {
        let delivered = try deliverAtOnce(message, write)
        try done(.success(delivered))
    }

    private func deliverAtOnce(
        _ message: Delivery, _ write: ((RawSpan) throws -> Void) throws -> Void
    ) throws -> Delivered {
        if let name = message.name, try isTaken(name) { throw TargetFailure.exists }
        let (flags, lost) = try maildirFlags(message.flags, message.keywords)
        do {
            let delivery = try folder.begin(
                MaildirDelivery.Options(
                    baseName: message.name, place: .cur, flags: flags,
                    internalDate: FileTime(
                        seconds: message.internalDate.seconds,
                        nanoseconds: Int32(truncatingIfNeeded: message.internalDate.microsecondsOfSecond * 1_000))))
            try write { bytes in
                do throws(MaildirError) { try delivery.write(Span(_bytes: bytes)) } catch { throw TargetFailure(error) }
            }
            let (_, name) = try delivery.finish()
            let base = MaildirFileName(parsing: name).base
            names?.insert(base)
            return Delivered(name: base, lostKeywords: lost)
        } catch let error as MaildirError {
            throw TargetFailure(error)
        }
    }

    private func isTaken(_ name: [UInt8]) throws -> Bool {
        if let names { return names.contains(name) }
        do throws(MaildirError) {
            let listed = try maildir.open(rawName: folder.rawName).list()
            let found = Set((0..<listed.count).map { Array(listed.baseName(at: $0)) })
            names = found
            return found.contains(name)
        } catch {
            throw TargetFailure(error)
        }
    }

    func setFlags(_ name: [UInt8], _ flags: MessageFlags, _ keywords: [[UInt8]]) throws -> [[UInt8]] {
        let (flags, lost) = try maildirFlags(flags, keywords)
        do throws(MaildirError) {
            try found(name) { place, file throws(MaildirError) in
                _ = try folder.setFlags(flags, ofMessage: file, in: place)
            }
        } catch {
            throw TargetFailure(error)
        }
        return lost
    }

    func remove(_ name: [UInt8]) throws {
        do throws(MaildirError) {
            try found(name) { place, file throws(MaildirError) in try folder.remove(file, in: place) }
        } catch {
            throw TargetFailure(error)
        }
    }

    func setAttributes(_ attributes: [FolderAttribute], removing: [[UInt8]]) throws -> [RefusedAttribute] {
        var refused: [RefusedAttribute] = []
        do throws(MaildirError) {
            try folder.changeRights { list in
                for attribute in attributes {
                    guard let identifier = MaildirRights.identifier(ofAttribute: attribute.name),
                        DovecotAccessList.accepts(identifier, attribute.value)
                    else {
                        refused.append(RefusedAttribute(name: attribute.name, why: "a Maildir has no room for it"))
                        continue
                    }
                    list[identifier] = attribute.value
                }
                for name in removing {
                    if let identifier = MaildirRights.identifier(ofAttribute: name) { list[identifier] = nil }
                }
            }
        } catch {
            throw TargetFailure(error)
        }
        return refused
    }

    /// Runs `body` with the place and file of the message of that base name; looks again when it is no longer there.
    private func found(
        _ base: [UInt8], _ body: (MaildirPlace, [UInt8]) throws(MaildirError) -> Void
    ) throws(MaildirError) {
        for attempt in 0..<2 {
            if listing == nil || attempt > 0 { listing = try maildir.open(rawName: folder.rawName).list() }
            guard let listing, let position = listing.position(ofBaseName: base) else { continue }
            do throws(MaildirError) {
                return try body(listing[position].place, Array(listing.name(at: position)))
            } catch {
                guard case .vanished = error, attempt == 0 else { throw error }
            }
        }
        throw .vanished(name: base)
    }

    private func maildirFlags(
        _ flags: MessageFlags, _ keywords: [[UInt8]]
    ) throws -> (MaildirFlags, lost: [[UInt8]]) {
        var found: MaildirFlags = []
        if flags.contains(.seen) { found.insert(.seen) }
        if flags.contains(.answered) { found.insert(.replied) }
        if flags.contains(.flagged) { found.insert(.flagged) }
        if flags.contains(.deleted) { found.insert(.trashed) }
        if flags.contains(.draft) { found.insert(.draft) }
        if flags.contains(.passed) { found.insert(.passed) }
        guard !keywords.isEmpty else { return (found, []) }
        do throws(MaildirError) {
            let (letters, lost) = try folder.letters(for: keywords)
            return (found.union(letters), lost)
        } catch {
            throw TargetFailure(error)
        }
    }
}

/// A Maildir++ that is there, or will be.
struct MaildirTargetView: TargetView {
    private let source: MaildirSource?
    private let path: String

    init(path: String) throws {
        self.path = path
        var found = stat()
        if stat(path, &found) != 0, errno == ENOENT {
            source = nil
            return
        }
        do {
            source = try MaildirSource(path: path)
        } catch {
            // An empty directory becomes a Maildir; anything else that is none is not ours to fill.
            guard isEmptyDirectory(path) else { throw error }
            source = nil
        }
    }

    func folders() throws -> [SourceFolder] { try source?.folders() ?? [] }

    func list(_ folder: SourceFolder) throws -> any SourceListing {
        guard let source else { throw SourceFailure.vanished("the folder") }
        return try source.list(folder)
    }

    func name(of state: FolderState) throws -> [UInt8] {
        do throws(MaildirError) {
            let name = try MaildirTarget.path(of: state).directoryName()
            return name.isEmpty ? MaildirSource.inboxName : name
        } catch {
            throw TargetFailure(error)
        }
    }
}

extension MaildirTargetView {
    func obstacle(removing folder: SourceFolder) throws -> String? {
        guard folder.name != MaildirSource.inboxName else { return "every mailbox has an INBOX" }
        // One directory within another is no Maildir++; a writer does not write into it.
        guard folder.name.first == UInt8(ascii: ".") else { return "it is not a folder of a Maildir++" }
        do throws(MaildirError) {
            let directory = try Maildir(path: path, layout: .maildirPlusPlus).open(rawName: folder.name)
            return try directory.foreignEntry().map { "it has \(String(decoding: $0, as: UTF8.self)) in it" }
        } catch {
            throw TargetFailure(error)
        }
    }

    func canHave(attribute name: [UInt8]) -> Bool { name.starts(with: FolderAttribute.accessControl) }

    /// A base name: one component, with room for `:2,` and flags in 255 bytes.
    func accepts(name: [UInt8]) -> Bool {
        (1...200).contains(name.count) && name[0] != UInt8(ascii: ".")
            && name.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") }
            && MaildirFileName(parsing: name).base == name
    }
}

/// Whether the directory is empty.
/// Whether there is nothing in it but what a restore that was killed at its very beginning has made: an empty `tmp`.
private func isEmptyDirectory(_ path: String, mayHoldPlace: Bool = true) -> Bool {
    guard let directory = opendir(path) else { return false }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
        if name == Array(".".utf8) || name == Array("..".utf8) { continue }
        guard mayHoldPlace, name == Array("tmp".utf8), isEmptyDirectory(path + "/tmp", mayHoldPlace: false) else {
            return false
        }
    }
    return true
}
