internal import CLinux

/// Paths of Unix sockets.
package enum SocketFile {
    /// What a path was when we looked: another file of the same name is not the same.
    package struct Identity: Sendable, Equatable {
        fileprivate let device: UInt64
        fileprivate let inode: UInt64
    }

    package enum Kind: Sendable, Equatable {
        case nothing
        case socket(Identity)
        case other
    }

    /// What stands at the path; links are not followed.
    package static func kind(_ path: String) throws(Errno) -> Kind {
        var device: UInt64 = 0
        var inode: UInt64 = 0
        // SAFETY: string and numbers live during the call.
        switch try Errno.check(unsafe cl_path_kind(path, &device, &inode)) {
        case 0: return .nothing
        case 1: return .socket(Identity(device: device, inode: inode))
        default: return .other
        }
    }

    package static func rename(_ from: String, to: String) throws(Errno) {
        // SAFETY: the strings live during the call.
        _ = try Errno.check(unsafe cl_rename(from, to))
    }

    package static func remove(_ path: String) throws(Errno) {
        // SAFETY: the string lives during the call.
        _ = try Errno.check(unsafe cl_unlink(path))
    }

    package static func setMode(_ path: String, _ mode: UInt32) throws(Errno) {
        // SAFETY: the string lives during the call.
        _ = try Errno.check(unsafe cl_set_mode(path, mode))
    }

    /// Permission bits.
    package static func mode(_ path: String) throws(Errno) -> UInt32 {
        // SAFETY: the string lives during the call.
        UInt32(try Errno.check(unsafe cl_mode(path)))
    }

    /// Gives the file to a user and the user's main group.
    package static func setOwner(_ path: String, _ owner: User) throws(Errno) {
        // SAFETY: the string lives during the call.
        _ = try Errno.check(unsafe cl_set_owner(path, owner.user, owner.group))
    }

    package struct User: Sendable, Equatable {
        fileprivate let user: UInt32
        fileprivate let group: UInt32
    }

    /// nil when the machine knows no such user.
    package static func user(named name: String) throws(Errno) -> User? {
        var user: UInt32 = 0
        var group: UInt32 = 0
        // SAFETY: string and numbers live during the call.
        let result = unsafe cl_find_user(name, &user, &group)
        if result == -Errno.noEntry.number { return nil }
        _ = try Errno.check(result)
        return User(user: user, group: group)
    }
}
