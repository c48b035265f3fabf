internal import Blobs
internal import Connectors
internal import Events
internal import Files
internal import Headers
internal import Journal
internal import LMDB
internal import Projections
internal import Query
internal import TimeLanguage

// What every module's errors are to a person: the one place where they become a code, a sentence and a hint.

extension Failure {
    init(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as FileError: self.init(file: error)
        case let error as LMDBError: self.init(lmdb: error)
        case let error as JournalError: self.init(journal: error)
        case let error as BlobError: self.init(blob: error)
        case let error as SourceFailure: self.init(source: error)
        case let error as TargetFailure: self.init(targetFailure: error, "the target cannot be written")
        case let error as ProjectionsUnusable:
            self.init(.damaged, "\(error)", hint: "Make them anew, nothing is lost: yestermail rebuild")
        case let error as HeaderIndexUnusable:
            self.init(.damaged, "\(error)", hint: "It is made anew when it is next wanted: run it again")
        case let error as DecodingFailure:
            self.init(.damaged, "the vault holds bytes that cannot be understood: \(error)", hint: Failure.checkHint)
        case let error as TimeLanguageError: self.init(time: error)
        case let error as QueryError:
            self.init(
                .usage, Failure.withoutStop(error.message), hint: error.suggestion.map { "Write for example: \($0)" })
        default: self.init(.failed, "\(error)")
        }
    }

    private static let checkHint = "Find out how much is damaged: yestermail check --read-data"
    private static let spaceHint =
        "Free some space on that file system and run it again: what has been recorded is kept"
    private static let ownerHint = "Run it as a user who may do that: mostly the one who owns the vault"

    private init(file error: FileError) {
        if error.isPermission {
            self.init(.permission, "no permission: \(error)", hint: Failure.ownerHint)
        } else if error.isNoSpace {
            self.init(.noSpace, "no space left: \(error)", hint: Failure.spaceHint)
        } else {
            self.init(.failed, "\(error)")
        }
    }

    private init(lmdb error: LMDBError) {
        if error.isPermission {
            self.init(.permission, "no permission: \(error)", hint: Failure.ownerHint)
        } else if error.isDamage {
            self.init(.damaged, "\(error)", hint: Failure.checkHint)
        } else if error.isInputOutput {
            // LMDB calls a write that was cut short by a full disk an input/output error too.
            self.init(.failed, "\(error)", hint: "Look whether the disk is full (df) or failing (dmesg)")
        } else if error.mayBeNoSpace {
            self.init(.noSpace, "no space left: \(error)", hint: Failure.spaceHint)
        } else {
            self.init(.failed, "\(error)")
        }
    }

    private init(journal error: JournalError) {
        switch error {
        case .damaged, .foreignSegment: self.init(.damaged, "\(error)", hint: Failure.checkHint)
        case .replaced: self.init(.locked, "\(error)")
        case .readOnly: self.init(.permission, "\(error)", hint: Failure.ownerHint)
        case .tooLarge: self.init(.failed, "\(error)")
        }
    }

    private init(blob error: BlobError) {
        switch error {
        case .missing, .damaged, .unusable: self.init(.damaged, "\(error)", hint: Failure.checkHint)
        case .busy: self.init(.locked, "\(error)", hint: "Try again when it has finished")
        case .suspect, .notReproducible: self.init(.failed, "\(error)")
        case .system:
            if error.isNoSpace {
                self.init(.noSpace, "no space left: \(error)", hint: Failure.spaceHint)
            } else if error.isPermission {
                self.init(.permission, "no permission: \(error)", hint: Failure.ownerHint)
            } else {
                self.init(.failed, "\(error)")
            }
        }
    }

    private init(source error: SourceFailure) {
        switch error {
        case .unavailable(let why):
            self.init(
                .unreachable, "the source cannot be read: \(why)", hint: "Is it mounted, and readable by this user?")
        case .unreadable: self.init(.sourceDamaged, "\(error)")
        case .vanished: self.init(.notFound, "\(error)")
        }
    }

    private init(time error: TimeLanguageError) {
        let isAmbiguous = error.problem == .ambiguous || error.problem == .skipped
        let examples = error.examples.map { "'\($0)'" }.joined(separator: isAmbiguous ? " or " : ", ")
        self.init(
            isAmbiguous ? .ambiguous : .usage, Failure.withoutStop(error.message),
            hint: examples.isEmpty ? nil : (isAmbiguous ? "Write \(examples)" : "Write for example: \(examples)"))
    }

    private static func withoutStop(_ sentence: String) -> String {
        sentence.hasSuffix(".") ? String(sentence.dropLast()) : sentence
    }
}
