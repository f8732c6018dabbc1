import Fuzzing
import Testing
import YAML

/// What the fuzzers have gathered, run without them: every input of the corpus, and every input that once broke a
/// promise.
@Suite struct CorpusTests {
    @Test(arguments: FuzzTarget.allCases) func `no input of the corpus breaks a promise`(target: FuzzTarget) {
        let inputs = Inputs.all("Corpus", of: target)
        #expect(!inputs.isEmpty)
        for input in inputs { check(input, target) }
    }

    @Test(arguments: FuzzTarget.allCases) func `no former finding breaks a promise again`(target: FuzzTarget) {
        for input in Inputs.all("Findings", of: target) { check(input, target) }
    }

    private func check(_ input: Inputs.Input, _ target: FuzzTarget) {
        do throws(FuzzViolation) {
            try target.run(input.bytes)
        } catch {
            Issue.record("\(target.rawValue)/\(input.name): \(error)")
        }
    }
}

enum Inputs {
    struct Input {
        let name: String
        let bytes: [UInt8]
    }

    /// A file of the tests' folder.
    static func text(_ path: String) -> String {
        String(decoding: read("\(tests)/\(path)"), as: UTF8.self)
    }

    private static let tests = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/")

    /// The files in `Tests/Fuzzing/FOLDER/TARGET`, in the order of their names.
    static func all(_ folder: String, of target: FuzzTarget) -> [Input] {
        let path = "\(tests)/Fuzzing/\(folder)/\(target.rawValue)"
        return names(path).map { Input(name: $0, bytes: read("\(path)/\($0)")) }
    }

    private static func names(_ path: String) -> [String] {
        // A target without findings has no folder of them.
        ((try? DiskFile.list(path)) ?? []).filter { !$0.hasPrefix(".") }
    }

    private static func read(_ path: String) -> [UInt8] {
        do throws(DiskFile.Failure) {
            return try DiskFile.read(path, limit: 1 << 20)
        } catch {
            Issue.record("\(path): \(error.reason)")
            return []
        }
    }
}
