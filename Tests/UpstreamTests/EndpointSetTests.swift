import Config
import Containers
import Testing

@testable import Upstream

@Suite("A set of endpoints")
struct EndpointSetTests {
    @Test("holds as many endpoints as a configuration may have")
    func capacity() {
        #expect(EndpointSet.capacity == UpstreamConfig.endpointsLimit)
    }

    @Test("holds what a Set holds, for random members")
    func model() {
        var random = RandomSource(seed: 7)
        for _ in 0..<50 {
            var set = EndpointSet()
            var model: Set<Int> = []
            for _ in 0..<random.below(300) {
                let index = random.below(256)
                set.insert(index)
                model.insert(index)
            }
            #expect(set.count == model.count)
            #expect(set.isEmpty == model.isEmpty)
            var members: [Int] = []
            var next = set.first(from: 0)
            while let index = next {
                members.append(index)
                next = set.first(from: index + 1)
            }
            #expect(members == model.sorted())
            let start = random.below(256)
            #expect(set.first(from: start) == model.filter { $0 >= start }.min())
        }
    }

    @Test("ignores an index that no endpoint has", arguments: [-1, 256, 257, Int.max, Int.min])
    func bounds(index: Int) {
        var set = EndpointSet()
        set.insert(index)
        #expect(set.isEmpty == true)
        #expect(!set.contains(index))
    }

    @Test("searches from any place without a trap", arguments: [-5, 0, 255, 256, Int.max])
    func search(from: Int) {
        var set = EndpointSet()
        set.insert(255)
        #expect(set.first(from: from) == (from <= 255 ? 255 : nil))
    }
}

@Suite("A set of workers")
struct WorkerSetTests {
    @Test("gives each member in its turn, whoever comes back")
    func turns() {
        let set = WorkerSet()
        for worker in [3, 64, 200] { set.insert(worker) }
        var order: [Int] = []
        for _ in 0..<9 {
            guard let worker = set.take() else { break }
            order.append(worker)
            set.insert(worker)
        }
        #expect(order == [3, 64, 200, 3, 64, 200, 3, 64, 200])
    }

    @Test("gives every member once, from every starting place")
    func completeness() {
        for start in 0..<256 {
            let set = WorkerSet()
            set.insert(start)
            #expect(set.take() == start)
            for worker in 0..<256 { set.insert(worker) }
            var seen: Set<Int> = []
            while let worker = set.take() { seen.insert(worker) }
            #expect(seen.count == 256)
            #expect(set.isEmpty == true)
        }
    }

    @Test("leaves out the one who asks")
    func except() {
        let set = WorkerSet()
        set.insert(5)
        #expect(set.take(except: 5) == nil)
        set.insert(9)
        #expect(set.take(except: 5) == 9)
        #expect(set.contains(5) == true)
        set.remove(5)
        #expect(set.contains(5) == false)
    }

    @Test("gives no member twice to tasks that take at once")
    func concurrency() async {
        let set = SharedWorkers()
        for _ in 0..<200 {
            for worker in 0..<256 { set.workers.insert(worker) }
            let taken = await withTaskGroup(of: [Int].self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        var mine: [Int] = []
                        while let worker = set.workers.take() { mine.append(worker) }
                        return mine
                    }
                }
                return await group.reduce(into: [Int]()) { $0 += $1 }
            }
            #expect(taken.sorted() == Array(0..<256))
        }
    }
}

private final class SharedWorkers: Sendable {
    let workers = WorkerSet()
}
