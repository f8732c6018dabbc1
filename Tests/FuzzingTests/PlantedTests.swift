import Fuzzing
import Testing

/// The bugs that `make fuzz-planted` plants still fit the code that ships.
@Suite struct PlantedTests {
    @Test(arguments: FuzzTarget.allCases) func `a bug is planted for every target`(target: FuzzTarget) {
        let text = Inputs.text("Fuzzing/Planted/\(target.rawValue).txt")
        guard let was = text.firstRange(of: "--- was\n"), let planted = text.firstRange(of: "--- planted\n") else {
            Issue.record("\(target.rawValue): no bug is planted")
            return
        }
        let file = text[..<was.lowerBound].split(separator: "\n").last ?? ""
        let code = Inputs.text("../\(file)")
        let parts = code.ranges(of: text[was.upperBound..<planted.lowerBound])
        #expect(parts.count == 1, "what it replaces stands \(parts.count) times in \(file)")
        #expect(text[planted.upperBound...].contains("Planted.isOn(\"\(target.rawValue)\")"))
    }
}
