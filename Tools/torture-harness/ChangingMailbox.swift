internal import TestKit

/// A mailbox that goes on: mail comes, is moved, is flagged, goes.
struct ChangingMailbox {
    private let mail: MaildirFixture
    private var files: [(folder: String, name: String)] = []
    private var last = 0

    /// It has the folders `.Box` and `.Trash`.
    init(_ mail: MaildirFixture) { self.mail = mail }

    mutating func change(_ number: Int, _ generator: inout SeededGenerator) {
        for _ in 0..<number {
            switch files.count < 20 ? 0 : generator.number(0..<10) {
            case 0..<5:
                last += 1
                let (folder, name) = (
                    generator.element(["", ".Box", ".Trash"]), "\(last).\(generator.number(0..<999)):2,S"
                )
                let text =
                    "Subject: \(last)\n\n"
                    + String(repeating: "line \(last)\n", count: generator.element([3, 40, 900]))
                mail.deliverWhole(folder, name, text)
                files.append((folder, name))
            case 5, 6:
                let index = generator.number(0..<files.count)
                let folder = generator.element(["", ".Box", ".Trash"])
                mail.move(files[index].folder, files[index].name, to: folder)
                files[index].folder = folder
            case 7, 8:
                let index = generator.number(0..<files.count)
                let name = files[index].name.prefix { $0 != ":" } + ":2," + generator.element(["", "S", "RS", "FS"])
                mail.move(files[index].folder, files[index].name, to: nil, String(name))
                files[index].name = String(name)
            default:
                let file = files.remove(at: generator.number(0..<files.count))
                mail.remove(file.folder, file.name)
            }
        }
    }
}
