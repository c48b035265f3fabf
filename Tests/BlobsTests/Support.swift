import Blobs
import Events
import Foundation
import SystemPackage
import TestKit
import Testing

/// A directory with a store.
struct BlobScratch {
    private let scratch = Scratch("blobs")
    var path: String { scratch.path.string }

    func store(_ options: BlobOptions = BlobOptions()) throws -> BlobStore {
        try BlobStore(path: path + "/blobs", vault: vault, options: options)
    }

    var packs: [String] {
        Tree.names(scratch.appending("blobs/packs")).map {
            path + "/blobs/packs/" + String(decoding: $0, as: UTF8.self)
        }
        .sorted()
    }
}

let vault: [UInt8] = Array(0..<16)

extension SeededGenerator {
    /// Words in lines.
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

/// The real mail of the test data.
let realMail: [[UInt8]] = TestData.mailSmall().map(\.bytes)
