/// What depends on the time: nothing of it keeps a certificate from being used, since clocks are set wrong too.
extension CertificateChain {
    /// - Parameter now: Unix seconds.
    package func warnings(at now: Int64) -> [CertificateWarning] {
        certificates.enumerated().compactMap { index, certificate in
            let which = index == 0 ? "the certificate\(namesText)" : "certificate \(index + 1) (\(certificate.subject))"
            return certificate.lapse(at: now).map { CertificateWarning(.certificates, "\(which) \($0)") }
        }
    }

    /// ` for api.example.com, www.example.com and 3 more`.
    private var namesText: String {
        let all = names.map(\.text) + addresses.map { "\($0)" }
        guard !all.isEmpty else { return "" }
        let more = all.count > 3 ? " and \(all.count - 3) more" : ""
        return " for " + all.prefix(3).joined(separator: ", ") + more
    }
}

extension CertificateAuthorities {
    /// Certificates that do not hold; those of a system's bundle are no reason to say anything as long as others do.
    package func warnings(at now: Int64) -> [CertificateWarning] {
        let lapses = certificates.map { certificate in
            certificate.lapse(at: now).map { "\(certificate.subject) \($0)" }
        }
        guard lapses.allSatisfy({ $0 != nil }) else { return [] }
        return lapses.compactMap { $0 }.prefix(1).map { CertificateWarning(.authorities, $0) }
    }
}

extension OCSPResponse {
    package func warnings(at now: Int64) -> [CertificateWarning] {
        switch status {
        case .good: break
        case .revoked: return [CertificateWarning(.ocsp, "the certificate is revoked")]
        case .unknown: return [CertificateWarning(.ocsp, "the responder does not know the certificate")]
        }
        if now < thisUpdate { return [CertificateWarning(.ocsp, "it holds only from \(UnixTime.text(thisUpdate)) on")] }
        guard let nextUpdate, now > nextUpdate else { return [] }
        return [CertificateWarning(.ocsp, "it held until \(UnixTime.text(nextUpdate))")]
    }
}

extension Certificate {
    /// Seconds before its end in which a certificate is warned of; of those that live shortly the last third of their life, since
    /// they are renewed late.
    private var noticeTime: Int64 { min(30 * UnixTime.day, (notAfter - notBefore) / 3) }

    fileprivate func lapse(at now: Int64) -> String? {
        if now < notBefore { return "holds only from \(UnixTime.text(notBefore)) on" }
        if now > notAfter { return "expired on \(UnixTime.text(notAfter))" }
        let left = notAfter - now
        guard left < noticeTime else { return nil }
        let days = left / UnixTime.day
        let time = days == 0 ? "less than a day" : days == 1 ? "1 day" : "\(days) days"
        return "expires on \(UnixTime.text(notAfter)), in \(time)"
    }
}

/// Points in time for people.
package enum UnixTime {
    /// Seconds.
    package static let day: Int64 = 86_400

    /// `2026-11-23T02:40:16Z`.
    package static func text(_ seconds: Int64) -> String {
        let days = seconds >= 0 ? seconds / day : (seconds - (day - 1)) / day
        let rest = seconds - days * day
        // Days since 0000-03-01, in eras of 400 years: leap days then stand at the end of years and eras.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let year = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * year + year / 4 - year / 100)
        let month = (5 * dayOfYear + 2) / 153
        let date = dayOfYear - (153 * month + 2) / 5 + 1
        let civilMonth = month < 10 ? month + 3 : month - 9
        let civilYear = year + era * 400 + (civilMonth <= 2 ? 1 : 0)
        func padded(_ value: Int64, _ width: Int) -> String {
            let text = "\(value)"
            return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
        }
        return "\(padded(civilYear, 4))-\(padded(civilMonth, 2))-\(padded(date, 2))T"
            + "\(padded(rest / 3_600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))Z"
    }
}
