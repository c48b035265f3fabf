internal import Events
internal import Files
internal import Glibc
internal import Presentation
internal import SystemPackage
internal import Transparency

/// A file that a person has named: one to read, whatever it is (a link, a pipe), or one to write.
struct FileArgument {
    let path: FilePath

    init(_ text: String) throws {
        guard !text.isEmpty else { throw Failure(.usage, "the name of a file is empty") }
        path = FilePath(VaultPlace.absolute(text))
    }

    /// All bytes of it, which must not be more than `limit`.
    func read(limit: Int) throws -> [UInt8] {
        let descriptor = path.withPlatformString { open($0, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else {
            guard errno == ENOENT || errno == ENOTDIR else { throw FileError(Errno(rawValue: errno), "open", path) }
            throw Failure(.notFound, "there is no file \(TerminalText.safe(path.string))")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var window = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &window, window.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError(Errno(rawValue: errno), "read", path)
            }
            bytes += window[..<count]
            guard bytes.count <= limit else {
                throw Failure(
                    .failed,
                    "\(TerminalText.safe(path.string)) has more than \(Quantity.bytes(limit)): it is something else")
            }
        }
    }

    /// Puts what `body` hands out there, piece by piece, in the place of what was there before.
    func write(_ body: ((RawSpan) throws -> Void) throws -> Void) throws { try Directory.replaceFile(path, body) }

    /// Puts the bytes there, in the place of what was there before; nobody else may read it.
    func write(_ bytes: [UInt8]) throws { try Directory.replaceFile(path, with: bytes.span.bytes) }
}

extension NoteVerifier {
    /// A key as a person writes it behind `--key`.
    init(argument text: String) throws {
        do throws(TransparencyError) { try self.init(text) } catch {
            throw Failure(
                .usage, "the key cannot be read: \(error)",
                hint: "Write the line that checkpoint has shown: yestermail/UUID+NUMBER+KEY")
        }
    }
}

extension FileArgument {
    static func isThere(_ path: String) -> Bool { Directory.exists(FilePath(path)) }

    static func makeDirectory(_ path: String) throws { try Directory.create(FilePath(path)) }
}
