internal import CLinux
internal import Events
internal import Glibc
internal import Mbox

/// A directory of plain files as a ``Target``: an mbox for each folder, or a directory for each with a file for each
/// message. Only made anew: a directory with anything in it is refused.
final class FileTarget: Target {
    enum Shape { case mbox, eml }

    private let path: [UInt8]
    private let shape: Shape
    private var files: [[UInt8]] = []

    init(path: String, shape: Shape) throws {
        (self.path, self.shape) = (Array(path.utf8), shape)
        try makeDirectory(self.path)
    }

    func folder(_ state: FolderState) throws -> any TargetFolder {
        let place = path + [UInt8(ascii: "/")] + FileTarget.name(of: state, shape)
        files.append(place)
        switch shape {
        case .mbox: return MboxTargetFolder(path: place)
        case .eml:
            try makeDirectory(place)
            return EMLTargetFolder(path: place)
        }
    }

    static func name(of state: FolderState, _ shape: Shape) -> [UInt8] {
        PlainFileName.of(state.path) + (shape == .mbox ? Array(".mbox".utf8) : [])
    }

    /// Files have no subscriptions.
    func setSubscriptions(_ paths: [[[UInt8]]]) throws -> [[[UInt8]]] { paths }

    func sync() throws {
        // A folder without mail is an mbox without mail.
        for file in files where shape == .mbox {
            let descriptor = withPath(file) { open($0, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600) }
            guard descriptor >= 0 else { throw TargetFailure(system: errno, "make", file) }
            close(descriptor)
        }
        let descriptor = withPath(path) { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw TargetFailure(system: errno, "sync", path) }
        defer { close(descriptor) }
        guard syncfs(descriptor) == 0 else { throw TargetFailure(system: errno, "sync", path) }
    }

    private func makeDirectory(_ path: [UInt8]) throws {
        if withPath(path, { mkdir($0, 0o700) }) != 0, errno != EEXIST {
            throw TargetFailure(system: errno, "make", path)
        }
    }
}

private func withPath<Result>(_ path: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    (path + [0]).withUnsafeBufferPointer { bytes in
        bytes.withMemoryRebound(to: CChar.self) { body($0.baseAddress!) }
    }
}

extension TargetFailure {
    fileprivate init(system code: Int32, _ what: String, _ path: [UInt8]) {
        let reason = strerror(code).map { String(cString: $0) } ?? "error"
        self = .unavailable(
            "\(what) \(String(decoding: path, as: UTF8.self)): \(reason)", isNoSpace: code == ENOSPC || code == EDQUOT,
            isPermission: [EACCES, EPERM, EROFS].contains(code))
    }
}

/// What plain files are not: changed.
extension TargetFolder {
    fileprivate func unchangeable() -> TargetFailure { .refused("messages in plain files are not changed") }
}

/// One mbox; made with its first message.
private final class MboxTargetFolder: TargetFolder {
    private let path: [UInt8]
    private var writer: MboxWriter?

    init(path: [UInt8]) { self.path = path }

    func deliver(
        _ message: Delivery, write: ((RawSpan) throws -> Void) throws -> Void,
        done: @escaping (Result<Delivered, TargetFailure>) throws -> Void
    ) throws {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(clamping: min(message.size, 1 << 30)))
        try write { piece in piece.withUnsafeBytes { bytes.append(contentsOf: $0) } }
        do throws(MboxError) {
            let open = if let writer { writer } else { try MboxWriter(path: path) }
            writer = open
            try open.append(bytes.span, date: message.internalDate.seconds)
        } catch {
            throw MboxTargetFolder.failure(error)
        }
        try done(.success(Delivered(name: [], lostKeywords: message.keywords)))
    }

    func flush() throws {
        do throws(MboxError) { try writer?.finish() } catch { throw MboxTargetFolder.failure(error) }
    }

    private static func failure(_ error: MboxError) -> TargetFailure {
        guard case .system(let code, let step, let path) = error else { return .refused("\(error)") }
        return TargetFailure(system: code, step.rawValue, path)
    }

    func setFlags(_ name: [UInt8], _ flags: MessageFlags, _ keywords: [[UInt8]]) throws -> [[UInt8]] {
        throw unchangeable()
    }

    func remove(_ name: [UInt8]) throws { throw unchangeable() }
}

/// A directory with a file for each message, the time of which is that of the message.
private final class EMLTargetFolder: TargetFolder {
    private let path: [UInt8]

    init(path: [UInt8]) { self.path = path }

    /// `m7` of `1772456318.m7-184.yestermail`, which a restore calls what the target gives no name.
    private static func item(_ name: [UInt8]) -> [UInt8] {
        let parts = name.split(separator: UInt8(ascii: "."))
        guard parts.count == 3, parts[2].elementsEqual("yestermail".utf8) else { return name }
        return Array(parts[1].prefix { $0 != UInt8(ascii: "-") })
    }

    func deliver(
        _ message: Delivery, write: ((RawSpan) throws -> Void) throws -> Void,
        done: @escaping (Result<Delivered, TargetFailure>) throws -> Void
    ) throws {
        let name = PlainFileName.of([EMLTargetFolder.item(message.name ?? [])]) + Array(".eml".utf8)
        let slash = [UInt8(ascii: "/")]
        let file = path + slash + name
        let unfinished = path + slash + [UInt8(ascii: ".")] + name
        guard withPath(file, { access($0, F_OK) }) != 0 else { throw TargetFailure.exists }
        let descriptor = withPath(unfinished) {
            open($0, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
        }
        guard descriptor >= 0 else { throw TargetFailure(system: errno, "make", file) }
        var isDone = false
        defer {
            close(descriptor)
            if !isDone { _ = withPath(unfinished) { unlink($0) } }
        }
        try write { piece in
            let code = piece.withUnsafeBytes { bytes in
                var done = 0
                while done < bytes.count {
                    let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
                    if count < 0, errno == EINTR { continue }
                    guard count > 0 else { return errno }
                    done += count
                }
                return Int32(0)
            }
            guard code == 0 else { throw TargetFailure(system: code, "write", file) }
        }
        let time = timespec(
            tv_sec: Int(message.internalDate.seconds), tv_nsec: Int(message.internalDate.microsecondsOfSecond) * 1_000)
        _ = [time, time].withUnsafeBufferPointer { futimens(descriptor, $0.baseAddress) }
        let renamed = withPath(unfinished) { from in withPath(file) { to in rename(from, to) } }
        guard renamed == 0 else { throw TargetFailure(system: errno, "rename", file) }
        isDone = true
        try done(.success(Delivered(name: name, lostKeywords: message.keywords)))
    }

    func setFlags(_ name: [UInt8], _ flags: MessageFlags, _ keywords: [[UInt8]]) throws -> [[UInt8]] {
        throw unchangeable()
    }

    func remove(_ name: [UInt8]) throws { throw unchangeable() }
}

/// A directory of plain files that is not there yet, or is empty.
struct FileTargetView: TargetView {
    let shape: FileTarget.Shape

    /// Throws ``Failure`` where there is something already.
    init(path: String, shape: FileTarget.Shape) throws {
        self.shape = shape
        guard let directory = opendir(path) else {
            guard errno == ENOENT else {
                throw Failure(
                    .refused, "\(path) is no directory that can be filled", hint: "Name one that does not exist yet")
            }
            return
        }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard name == Array(".".utf8) || name == Array("..".utf8) else {
                throw Failure(.notEmpty, "\(path) is not empty", hint: "Name a directory that does not exist yet")
            }
        }
    }

    func folders() throws -> [SourceFolder] { [] }
    func list(_ folder: SourceFolder) throws -> any SourceListing { throw SourceFailure.vanished("the folder") }
    func name(of state: FolderState) throws -> [UInt8] { FileTarget.name(of: state, shape) }

    /// Files are called after items, which are each there once.
    func accepts(name: [UInt8]) -> Bool { false }
}
