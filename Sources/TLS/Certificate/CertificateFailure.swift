/// Why certificates cannot be used. The message follows the name of the file: "`api.pem`: no certificate in it".
package struct CertificateFailure: Error, Sendable, Equatable {
    /// Which of the files it is about.
    package enum Source: Sendable, Equatable {
        case certificates, key, authorities, ocsp
    }

    package var source: Source
    /// One line, lower case at the front, without a full stop.
    package var message: String
    /// What to do.
    package var help: String?

    package init(_ source: Source, _ message: String, help: String? = nil) {
        self.source = source
        self.message = message
        self.help = help
    }
}

/// Everything that is wrong with a set of files; never empty.
package struct CertificateFailures: Error, Sendable, Equatable {
    package var all: [CertificateFailure]
}

/// What is doubtful about a file that can be used; the message follows the name of the file.
package struct CertificateWarning: Sendable, Equatable {
    package var source: CertificateFailure.Source
    package var message: String

    package init(_ source: CertificateFailure.Source, _ message: String) {
        self.source = source
        self.message = message
    }
}
