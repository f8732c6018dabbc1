internal import CLinux

/// System calls on this process and its children.
package enum Process {
    /// How a child ended.
    package enum Ending: Sendable, Equatable {
        case exited(code: Int32)
        case killed(signal: Int32)
    }

    package static var id: Int32 { cl_pid() }
    package static var parentID: Int32 { cl_parent_pid() }

    /// Starts a program with this process's environment and signal mask, in a process group of its own.
    /// `descriptors[i]` has the number 3 + i there (at most 8).
    package static func spawn(_ path: String, _ arguments: [String], descriptors: [Int32]) throws(Errno) -> Int32 {
        let result = unsafe withArguments(arguments) { argv in
            // SAFETY: `argv` is a vector of C strings that ends with null; both live during the call.
            unsafe cl_spawn(path, argv, descriptors, descriptors.count)
        }
        return try Errno.check(result)
    }

    /// Replaces the running program, keeping the pid. Comes back only with the reason of a failure.
    package static func replace(with path: String, _ arguments: [String]) -> Errno {
        let result = unsafe withArguments(arguments) { argv in
            // SAFETY: as in `spawn`.
            unsafe cl_exec(path, argv)
        }
        return Errno(-result)
    }

    /// A child that ended since the last call.
    package static func reap() -> (id: Int32, ending: Ending)? {
        var code: Int32 = 0
        var signal: Int32 = 0
        // SAFETY: both numbers live here.
        let child = unsafe cl_reap(&code, &signal)
        guard child > 0 else { return nil }
        return (child, signal != 0 ? .killed(signal: signal) : .exited(code: code))
    }

    /// How a certain child ended; nil while it runs.
    package static func reap(_ child: Int32) -> Ending? {
        var code: Int32 = 0
        var signal: Int32 = 0
        // SAFETY: both numbers live here.
        guard unsafe cl_reap_one(child, &code, &signal) == 1 else { return nil }
        return signal != 0 ? .killed(signal: signal) : .exited(code: code)
    }

    /// Where the running program's file is.
    package static var executablePath: String? {
        var count = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 4_096) { buffer, initialized in
            // SAFETY: the kernel initialises what it counts, at most the whole buffer.
            unsafe buffer.withMemoryRebound(to: CChar.self) { path in
                count = unsafe cl_program_path(path.baseAddress, path.count)
            }
            initialized = max(0, count)
        }
        return count > 0 ? String(decoding: bytes, as: UTF8.self) : nil
    }

    package static func send(_ signal: Signal, to process: Int32) {
        precondition(process > 1, "never to a group or to everybody")
        _ = cl_kill(process, signal.rawValue)
    }

    /// What keeps another process from running, if anything does.
    package struct Standstill: Sendable, Equatable {
        /// A debugger is attached to it.
        package var isTraced = false
        /// A signal stopped it, or a control group froze it.
        package var isStopped = false

        /// Reads what `/proc/PID/status` says.
        package init(status: [UInt8]) {
            for line in status.split(separator: 0x0A) {
                let words = line.split { $0 == 0x20 || $0 == 0x09 }.map { String(decoding: $0, as: UTF8.self) }
                guard words.count >= 2 else { continue }
                if words[0] == "TracerPid:" { isTraced = words[1] != "0" }
                if words[0] == "State:" { isStopped = words[1] == "T" }
            }
        }
    }

    /// nil when there is no such process, or nothing can be said of it.
    package static func standstill(of process: Int32) -> Standstill? {
        do throws(Errno) {
            return Standstill(status: try FileAccess.contents(ofPath: "/proc/\(process)/status", limit: 65_536))
        } catch {
            return nil
        }
    }

    /// Has the kernel kill this process when its parent is gone. False when it is gone already.
    package static func dieWithParent(_ parent: Int32) -> Bool {
        _ = cl_set_parent_death_signal(9)
        return cl_parent_pid() == parent
    }

    /// The name in `ps` and `top`, at most 15 bytes.
    package static func setName(_ name: String) {
        // SAFETY: the string lives during the call.
        _ = unsafe cl_set_process_name(name)
    }

    /// Ends at once, without flushing or running anything.
    package static func exitNow(_ code: Int32) -> Never { cl_exit_now(code) }

    package static func unsetEnvironment(_ name: String) {
        // SAFETY: the string lives during the call.
        _ = unsafe cl_unset_environment(name)
    }

    /// Sets a variable for the programs that are started from here on. Only while there is one thread.
    package static func setEnvironment(_ name: String, _ value: String) {
        // SAFETY: the strings are copied by the call.
        _ = unsafe cl_set_environment(name, value)
    }

    package static func environment(_ name: String) -> String? {
        // SAFETY: the value is copied before anything can change the environment.
        guard let value = unsafe cl_environment(name) else { return nil }
        return unsafe String(cString: value)
    }

    /// Every variable. Values that are not UTF-8 are repaired.
    package static var environment: [String: String] {
        var variables: [String: String] = [:]
        var index = 0
        // SAFETY: the vector ends with null, which is looked for first; entries are copied. Nothing changes the environment once
        // threads run.
        while let entry = unsafe cl_environment_entry(index) {
            let text = unsafe String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                let name = String(text[..<equals])
                // The first one counts, as for getenv(3).
                if variables[name] == nil { variables[name] = String(text[text.index(after: equals)...]) }
            }
            index += 1
        }
        return variables
    }

    /// Raises the limit of open files to the hard limit; the limit that holds now.
    @discardableResult
    package static func raiseOpenFileLimit() -> Int { Int(max(0, cl_raise_open_files())) }

    /// CPUs of the affinity mask, at least 1.
    package static var allowedCPUs: Int { Int(max(1, cl_allowed_cpus())) }

    /// Gives memory that is not needed while waiting (program text, free heap) back to the kernel.
    package static func releaseMemory() { cl_release_memory() }

    /// A write to who is gone, or beyond the size that files may have (RLIMIT_FSIZE), returns an error instead of killing
    /// the process.
    package static func ignoreFailedWrites() {
        for signal in [Signal.pipe, .fileSize] { _ = cl_ignore_signal(signal.rawValue) }
    }

    /// Gives the memory of code that is not running back to the page cache. After the start, half of what the program has in memory is
    /// code that reads configurations, of which serving needs little.
    package static func forgetCode() { cl_forget_code() }

    package static func sleep(nanoseconds: Int64) { cl_sleep(nanoseconds) }

    private static func withArguments<R>(
        _ arguments: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> R
    ) -> R {
        let bytes = ContiguousArray(arguments.flatMap { Array($0.utf8CString) })
        let pointers = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: arguments.count + 1)
        defer { unsafe pointers.deallocate() }
        return unsafe bytes.withUnsafeBufferPointer { memory in
            var offset = 0
            for (index, argument) in arguments.enumerated() {
                // SAFETY: `index` and `offset` count what was allocated above; the bytes live during the closure.
                unsafe pointers[index] = memory.baseAddress.map { unsafe $0 + offset }
                offset += argument.utf8.count + 1
            }
            unsafe pointers[arguments.count] = nil
            return unsafe body(pointers)
        }
    }
}
