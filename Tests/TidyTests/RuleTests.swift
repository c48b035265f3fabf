internal import Testing

@testable internal import tidy

@Suite struct RuleTests {
    @Test("comments and strings are blanked at their places, interpolated code is not")
    func blanking() {
        let source =
            "let a = \"x! // \\(b!) \" // TO\nlet e = \"\"\"\n x! \" y!\n \"\"\"\nlet c = #\"a \" /* x! */\"# + d"
        let blanked = CodeBlanker.blank(source)
        #expect(blanked.utf8.count == source.utf8.count)
        #expect(blanked.contains("b!"))
        #expect(!blanked.contains("x!"))
        #expect(!blanked.contains("TO"))
        #expect(blanked.hasSuffix("+ d"))
    }

    @Test(
        "a trap, a hidden error and an empty name are found in the product's code",
        arguments: [
            ("let a = b!", 1), ("let a = b != c", 0), ("let a = try! b()", 1), ("let a = b as! C", 1),
            ("let a = !b", 0),
            ("let a = try? b()", 1), ("let a = try? b()  // absent is fine", 0), ("struct BlobManager {}", 1),
            ("let a = \"b!\"", 0), ("// b!", 0), ("print(a)", 1), ("a.print(b)", 0), ("let a: Int!", 1),
        ])
    func leftovers(_ line: String, _ count: Int) {
        var tree = Tree(root: "/nowhere")
        tree.files = [TextFile(path: "Sources/Events/Some.swift", text: line + "\n")]
        #expect(Leftovers(tree).findings().count == count, "\(line)")
    }

    @Test("an import that the table does not allow is found, one it allows is not")
    func layers() {
        let page = "<!-- tidy: layers -->\n| module | may import |\n|---|---|\n| `Journal` | `Events` |\n"
        var tree = Tree(root: "/nowhere")
        tree.files = [
            TextFile(path: "Specs/Architecture.md", text: page),
            TextFile(path: "Sources/Journal/Some.swift", text: "public import Events\ninternal import CLMDB\n"),
        ]
        let findings = Layers(tree).findings()
        #expect(findings.map(\.line) == [2])
    }

    @Test("a register that disagrees with the code is found")
    func registers() {
        let page = "<!-- tidy: register Origin -->\n| value | name |\n|---|---|\n| 1 | realtime |\n| 3 | scan |\n"
        var tree = Tree(root: "/nowhere")
        tree.files = [
            TextFile(path: "Specs/Format/Events.md", text: page),
            TextFile(
                path: "Sources/Events/Some.swift",
                text: "public enum Origin: UInt8 {\n    case realtime = 1\n    case scan = 2\n}\n"),
        ]
        #expect(Registers(tree).findings().count == 1)
    }

    @Test("a citation of a page that is not there is found")
    func citations() {
        var tree = Tree(root: "/nowhere")
        tree.files = [
            TextFile(path: "Specs/A.md", text: "# A\n\n## Body\n"),
            TextFile(
                path: "Sources/Events/Some.swift",
                text: "// `Specs/A.md`, \"Body\"\n// Specs/B.md\n// `Specs/A.md`, \"Tail\"\n"),
        ]
        #expect(Links(tree).findings().map(\.line) == [2, 3])
    }
}
