import TestKit
import Testing

/// The single messages of the test data, by their names.
enum Corpus {
    static let messages: [String: [UInt8]] = Dictionary(
        TestData.mailSmall().map { ($0.name, $0.bytes) }, uniquingKeysWith: { first, _ in first })

    static func message(_ name: String) throws -> [UInt8] { try #require(messages[name]) }
}
