import YAML

/// The outside of one load: files, environment and credentials, each recorded when it is used.
final class ConfigInputs {
    private let files: ConfigFiles
    private let environment: [String: String]
    private let credentialsDirectory: String?
    /// Unix seconds, for what is said of certificates; nil: nothing of the time is.
    let now: Int64?
    private(set) var record: ConfigRecord
    /// Configuration files in the order in which they were read.
    private(set) var order: [String] = []
    /// Files with certificates, keys and OCSP responses that were read.
    private(set) var certificateFiles: Set<String> = []

    /// Bytes of a configuration file.
    static let fileMax = YAMLLimits().bytes
    /// Bytes of a `${file:…}` or `${credential:…}`.
    static let secretMax = 64 * 1024
    /// Bytes of a file with certificates, a key or an OCSP response.
    static let certificateMax = 1 << 20

    init(
        path: String, files: ConfigFiles, environment: [String: String], credentialsDirectory: String?,
        now: Int64? = nil
    ) {
        self.files = files
        self.environment = environment
        self.credentialsDirectory = credentialsDirectory
        self.now = now
        record = ConfigRecord(path: path)
        record.credentialsDirectory = credentialsDirectory
    }

    func configuration(_ path: String) -> Result<[UInt8], DiskFile.Failure> {
        order.append(path)
        return read(path, limit: Self.fileMax)
    }

    func directory(_ path: String) -> [String] {
        if let known = record.directories[path] { return known }
        let names = (try? files.list(path).get()) ?? []
        record.directories[path] = names
        return names
    }

    func variable(_ name: String) -> String? {
        guard let value = environment[name] else { return nil }
        record.environment[name] = value
        return value
    }

    func secret(_ path: String) -> Result<[UInt8], DiskFile.Failure> { read(path, limit: Self.secretMax) }

    func certificate(_ path: String) -> Result<[UInt8], DiskFile.Failure> {
        let result = read(path, limit: Self.certificateMax)
        if case .success = result { certificateFiles.insert(path) }
        return result
    }

    /// Where a credential of this name lies; nil without a credentials directory.
    func credentialPath(_ name: String) -> String? { credentialsDirectory.map { "\($0)/\(name)" } }

    private func read(_ path: String, limit: Int) -> Result<[UInt8], DiskFile.Failure> {
        if let known = record.files[path] { return .success(known) }
        let result = files.read(path, limit)
        if case .success(let content) = result { record.files[path] = content }
        return result
    }
}
