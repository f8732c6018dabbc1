import Glibc
import Testing

/// `make mutants` takes minutes, because it builds a copy; that each bug still can be planted is looked at here.
@Suite struct PlantedBugsTests {
    /// What stands in one file once, and is replaced.
    private struct Place {
        let bug: Substring
        let file: Substring
        var old = ""
        var new = ""
    }

    private static var root: String {
        let parts = #filePath.split(separator: "/").dropLast(3)
        return "/" + parts.joined(separator: "/")
    }

    private static func read(_ path: String) -> String {
        guard let file = unsafe fopen("\(root)/\(path)", "r") else { return "" }
        defer { unsafe fclose(file) }
        var bytes: [UInt8] = []
        while true {
            let byte = unsafe fgetc(file)
            if byte < 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(UInt8(truncatingIfNeeded: byte))
        }
    }

    private static func places() -> [Place] {
        var places: [Place] = []
        var name: Substring?
        for line in read("Tests/Simulation/mutants.txt").split(separator: "\n") {
            if line.hasPrefix("== ") {
                name = line.dropFirst(3).prefix { $0 != ":" }
            } else if let bug = name {
                places.append(Place(bug: bug, file: line))
                name = nil
            } else if let last = places.indices.last, line.hasPrefix("- ") {
                places[last].old += line.dropFirst(2) + "\n"
            } else if let last = places.indices.last, line.hasPrefix("+ ") {
                places[last].new += line.dropFirst(2) + "\n"
            }
        }
        return places
    }

    @Test func `every bug that is planted on purpose still has its place in the code`() {
        let places = Self.places()
        #expect(Set(places.map(\.bug)).count >= 20)
        for place in places {
            let count = Self.read(String(place.file)).ranges(of: place.old.dropLast()).count
            #expect(count == 1, "\(place.bug) stands \(count) times in \(place.file)")
            #expect(place.new.contains("BUG"))
        }
    }
}
