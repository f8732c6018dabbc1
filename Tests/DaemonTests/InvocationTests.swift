import Testing

@testable import Daemon

@Suite struct InvocationTests {
    static let run = GatewayCommand(name: "martlet", configPath: "/x.yaml")

    @Test(
        "run in its plain forms goes straight to the supervisor",
        arguments: [
            (["martlet", "run"], "/etc/martlet/martlet.yaml"),
            (["martlet", "run", "--config", "a.yaml"], "a.yaml"),
            (["martlet", "run", "-c", "a.yaml"], "a.yaml"),
        ])
    func plainRun(arguments: [String], path: String) {
        #expect(Invocation(arguments) == .supervisor(GatewayCommand(name: "martlet", configPath: path)))
    }

    @Test(
        "every other form is left to the full parser",
        arguments: [
            ["martlet"], ["martlet", "run", "--help"], ["martlet", "run", "--config"],
            ["martlet", "run", "--single-process"],
            ["martlet", "run", "--config", "--single-process"], ["martlet", "run", "--config=a.yaml"],
            ["martlet", "check"],
            ["martlet", "gateway-process"], ["martlet", "gateway-process", "nothing"],
            ["martlet", "gateway-process", "file"],
            ["martlet", "snapshot-supervisor", "2"], ["martlet", "snapshot-supervisor", "x"], [],
        ])
    func otherForms(arguments: [String]) {
        #expect(Invocation(arguments) == .other)
    }

    @Test("what the supervisor passes to a gateway process is read back", arguments: [true, false])
    func gatewayArguments(hasSnapshot: Bool) {
        let arguments = Self.run.arguments(hasSnapshot: hasSnapshot)
        #expect(Invocation(arguments) == .gateway(Self.run, hasSnapshot: hasSnapshot))
    }

    @Test("a gateway without a file starts from a snapshot alone")
    func snapshotOnly() {
        let command = GatewayCommand(name: "martlet", configPath: nil)
        #expect(Invocation(command.arguments(hasSnapshot: true)) == .gateway(command, hasSnapshot: true))
        #expect(Invocation(command.arguments(hasSnapshot: false)) == .other)
        let again = Invocation(Invocation.snapshotArguments(name: "martlet", descriptor: 7))
        #expect(again == .snapshotSupervisor(command, descriptor: 7))
    }

    @Test("the plain form of run is a plain form")
    func runArguments() {
        #expect(Invocation(Invocation.runArguments(name: "martlet", configPath: "/x.yaml")) == .supervisor(Self.run))
    }
}
