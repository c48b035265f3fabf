// tidy: holds the sources and the pages against the house rules. `Tools/tidy` builds and runs it, and the formatter's lint
// beside it.
//
//     Tools/tidy
//
// Prints findings as `path:line: sentence`; exit status 1 when there are any. Its one argument is the package's root.
internal import Glibc

let tree = Tree(root: CommandLine.arguments.dropFirst().first ?? ".")
var findings: [Finding] = []
findings += Layers(tree).findings()
findings += Leftovers(tree).findings()
findings += Links(tree).findings()
findings += Registers(tree).findings()
findings.sort { ($0.path, $0.line, $0.sentence) < ($1.path, $1.line, $1.sentence) }
for finding in findings { print("\(finding.path):\(finding.line): \(finding.sentence)") }
exit(findings.isEmpty ? 0 : 1)
