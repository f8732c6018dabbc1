internal import Fuzzing
import Glibc

/// libFuzzer's own main function, which has another name beside a program's own.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

private let target = CommandLine.arguments.compactMap { argument in
    argument.hasPrefix("--target=") ? FuzzTarget(rawValue: String(argument.dropFirst(9))) : nil
}.first

private func runOne(_ memory: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // SAFETY: libFuzzer hands out `count` readable bytes for the time of the call.
    let input = unsafe Array(UnsafeBufferPointer(start: memory, count: count))
    do throws(FuzzViolation) {
        try target?.run(input)
    } catch {
        print("VIOLATION \(error)")
        fflush(nil)
        abort()
    }
    return 0
}

/// The fuzzers' program: libFuzzer around one target.
///
///     fuzzer --target=NAME [libFuzzer's arguments]     libFuzzer ignores what begins with two dashes
///     fuzzer --targets                                 the names of all targets, each with its longest input
@_cdecl("fuzzer_main")
public func runProgram(
    _ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> CInt {
    if CommandLine.arguments.contains("--targets") {
        for target in FuzzTarget.allCases { print(target.rawValue, target.inputLimit) }
        return 0
    }
    guard target != nil else {
        print("usage: fuzzer --target=NAME …, one of: \(FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))")
        return 64
    }
    var count = count
    var arguments = unsafe arguments
    return unsafe runFuzzer(&count, &arguments, runOne)
}
