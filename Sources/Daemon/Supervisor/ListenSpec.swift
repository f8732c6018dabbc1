package import Config
package import Net

/// One socket to listen on, as the gateway asks the binder for it.
package struct ListenSpec: Sendable, Hashable {
    /// Identity of a listening socket over reloads and restarts: who asks for the same place gets the same socket.
    package enum Place: Sendable, Hashable {
        case address(SocketAddress)
        /// A port that the kernel chooses once. Without the listener's name, two such listeners would be one.
        case anyPort(IPAddress, listener: String, ordinal: UInt32)
        case unix(path: String)
        case systemd(name: String)
    }

    package var place: Place
    /// Permissions of a Unix socket's file; nil: as the umask has it.
    package var mode: UInt32?
    /// User that owns the file; nil: whoever runs the daemon.
    package var owner: String?

    package init(place: Place, mode: UInt32? = nil, owner: String? = nil) {
        self.place = place
        self.mode = mode
        self.owner = owner
    }

    /// - Parameter ordinal: position of the bind among those of its listener.
    package init(_ bind: ListenerConfig.Bind, listener: String, ordinal: Int) {
        switch bind {
        case .address(.ip(let address, port: 0)):
            place = .anyPort(address, listener: listener, ordinal: UInt32(clamping: ordinal))
        case .address(.unix(let path)):
            place = .unix(path: path)
        case .address(let address):
            place = .address(address)
        case .unix(let path, let mode, let owner):
            place = .unix(path: path)
            self.mode = mode
            self.owner = owner
        case .systemd(let name):
            place = .systemd(name: name)
        }
    }
}

extension ListenSpec: CustomStringConvertible {
    package var description: String {
        switch place {
        case .address(let address): address.description
        case .anyPort(let address, _, _): SocketAddress.ip(address, port: 0).description
        case .unix(let path): SocketAddress.unix(path: path).description
        case .systemd(let name): "systemd:\(name)"
        }
    }
}

/// Why a listener could not be opened.
package struct BindFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// `cannot listen on 0.0.0.0:80: permission denied`.
    package var description: String

    package init(_ spec: ListenSpec, _ reason: some CustomStringConvertible) {
        description = "cannot listen on \(spec): \(reason)"
    }

    package init(description: String) {
        self.description = description
    }
}

extension MessageWriter {
    mutating func write(_ spec: ListenSpec) {
        switch spec.place {
        case .address(let address):
            write(UInt8(1))
            write(address.description)
        case .anyPort(let address, let listener, let ordinal):
            write(UInt8(2))
            write(SocketAddress.ip(address, port: 0).description)
            write(listener)
            write(ordinal)
        case .unix(let path):
            write(UInt8(3))
            write(path)
        case .systemd(let name):
            write(UInt8(4))
            write(name)
        }
        write(optional: spec.mode)
        write(optional: spec.owner)
    }
}

extension MessageReader {
    mutating func listenSpec() throws(MalformedMessage) -> ListenSpec {
        let place: ListenSpec.Place
        switch try byte() {
        case 1:
            place = .address(try address())
        case 2:
            guard let address = try address().ipAddress else { throw MalformedMessage() }
            place = .anyPort(address, listener: try text(), ordinal: try number32())
        case 3:
            place = .unix(path: try text())
        case 4:
            place = .systemd(name: try text())
        default:
            throw MalformedMessage()
        }
        return ListenSpec(place: place, mode: try optionalNumber32(), owner: try optionalText())
    }

    private mutating func address() throws(MalformedMessage) -> SocketAddress {
        let text = try text()
        do {
            return try SocketAddress(parsing: text)
        } catch {
            throw MalformedMessage()
        }
    }
}
