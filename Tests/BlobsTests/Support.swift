import Blobs
import Events
import Foundation
import Testing

/// A directory of its own, removed at the end.
final class Scratch {
    let path: String

    init() {
        path = NSTemporaryDirectory() + "/blobs-" + UUID().uuidString
        try! FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func store(_ options: BlobOptions = BlobOptions()) throws -> BlobStore {
        try BlobStore(path: path + "/blobs", vault: vault, options: options)
    }

    var packs: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path + "/blobs/packs")) ?? []
        return names.sorted().map { path + "/blobs/packs/" + $0 }
    }
}

let vault: [UInt8] = Array(0..<16)

/// splitmix64: the same numbers everywhere.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<(count + 7) / 8).flatMap { _ in withUnsafeBytes(of: next()) { Array($0) } }.prefix(count).map { $0 }
    }

    mutating func text(_ count: Int) -> [UInt8] {
        var text: [UInt8] = []
        while text.count < count {
            text += Array("word\(next() % 500) ".utf8)
            if next() % 9 == 0 { text.append(10) }
        }
        return Array(text.prefix(count))
    }
}

/// Base64 in lines; `padded` false leaves the padding out, which is not canonical.
func base64(_ bytes: [UInt8], columns: Int, eol: String = "\n", finalEOL: Bool = true) -> [UInt8] {
    let flat = Array(Data(bytes).base64EncodedString().utf8)
    if columns == 0 { return flat + (finalEOL ? Array(eol.utf8) : []) }
    var out: [UInt8] = []
    var at = 0
    while at < flat.count {
        out += flat[at..<min(at + columns, flat.count)]
        at += columns
        if at < flat.count || finalEOL { out += Array(eol.utf8) }
    }
    return out
}

func digest(_ bytes: [UInt8]) -> Events.Digest { Digest(hashing: bytes.span.bytes) }

extension BlobStore {
    /// Stores these durably.
    @discardableResult
    func store(_ messages: [[UInt8]]) throws -> [EncodedMessage] {
        let encoder = encoder()
        var done: [EncodedMessage] = []
        for message in messages {
            try encoder.add(message.span.bytes)
            if encoder.isFull {
                let batch = try encoder.finish()
                done += batch.messages
                try append(batch)
            }
        }
        let batch = try encoder.finish()
        done += batch.messages
        try append(batch)
        try sync()
        return done
    }
}

extension BlobReader {
    func bytes(_ digest: Events.Digest) throws -> [UInt8] {
        try read(digest) { span in span.withUnsafeBytes { Array($0) } }
    }

    func streamed(_ digest: Events.Digest) throws -> [UInt8] {
        var all: [UInt8] = []
        try stream(digest) { span in span.withUnsafeBytes { all += $0 } }
        return all
    }
}

/// The real mail unpacked beside the tests' own files; nil when it is not on this machine.
let realMail: [[UInt8]]? = {
    let root = ProcessInfo.processInfo.environment["YESTERMAIL_TEST_DATA"] ?? "../shared/data"
    let archive = root + "/mail-small.tar.zst"
    guard FileManager.default.fileExists(atPath: archive) else {
        print("NOTE: \(archive) is absent: the tests with real mail do nothing. Set YESTERMAIL_TEST_DATA.")
        return nil
    }
    let scratch = Scratch()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "zstd -dc '\(archive)' | tar -xf - -C '\(scratch.path)'"]
    try! process.run()
    process.waitUntilExit()
    var mail: [(String, [UInt8])] = []
    for case let name as String in FileManager.default.enumerator(atPath: scratch.path)! where name.hasSuffix(".eml") {
        mail.append((name, Array(FileManager.default.contents(atPath: scratch.path + "/" + name)!)))
    }
    return mail.sorted { $0.0 < $1.0 }.map(\.1)
}()
