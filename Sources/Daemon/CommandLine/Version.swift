enum Version {
    /// What `martlet --version` says; the changelog's newest heading.
    static let current = "0.1.0"
}
