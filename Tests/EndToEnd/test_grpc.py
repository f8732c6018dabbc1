"""gRPC: a real client and a real server on both sides of the gateway."""

import queue
import threading
from concurrent import futures

import grpc
import pytest

from support.gateway import eventually
from support.keys import key_hash
from support.raw import unused_port
from support.tls import CA, certificate

Code = grpc.StatusCode
PATH = "/test.Service/"


class Service(grpc.GenericRpcHandler):
    """Messages are bytes; what a method does stands in its name."""

    def __init__(self):
        self.cancelled = threading.Event()
        self.metadata: list[dict] = []

    def service(self, details):
        kinds = {"Unary": grpc.unary_unary_rpc_method_handler, "Download": grpc.unary_stream_rpc_method_handler,
                 "Upload": grpc.stream_unary_rpc_method_handler, "Both": grpc.stream_stream_rpc_method_handler,
                 "Endless": grpc.unary_stream_rpc_method_handler}
        name = details.method.removeprefix(PATH)
        return kinds[name](getattr(self, name)) if name in kinds else None

    def Unary(self, request, context):
        self.metadata.append(dict(context.invocation_metadata()))
        if request == b"fail":
            context.set_trailing_metadata((("x-why", "so"),))
            context.abort(Code.FAILED_PRECONDITION, "nope: \u00fc%")
        if request == b"wait":
            context.add_callback(self.cancelled.set)
            self.cancelled.wait(10)
            return b""
        context.send_initial_metadata((("x-first", "1"),))
        context.set_trailing_metadata((("x-last", "2"), ("x-data-bin", b"\x00\xff\x01")))
        return b"unary " + request

    def Download(self, request, context):
        for index in range(int(request)):
            yield b"%d" % index * 100

    def Upload(self, requests, context):
        return b"%d" % sum(len(one) for one in requests)

    def Both(self, requests, context):
        for one in requests:
            if one == b"fail":
                context.abort(Code.DATA_LOSS, "in the middle")
            yield b"both " + one

    def Endless(self, request, context):
        context.add_callback(self.cancelled.set)
        while context.is_active():
            yield b"x" * 10_000


@pytest.fixture
def served(gateway):
    """A gateway before a server; the channel speaks h2c or TLS."""
    service = Service()
    server = grpc.server(futures.ThreadPoolExecutor(1100))
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    channels = []

    def make(secure: bool = False, timeouts: str = "{}"):
        running = gateway(f"""
workers: 1
listeners:
  default: {{ bind: "127.0.0.1:0", protocols: [http/1.1, h2c], http2: {{ streams: 2000 }}, timeouts: {timeouts} }}
  secure: {{ bind: "127.0.0.1:0", tls: {{ certificates: [{certificate('ecdsa')}] }} }}
upstreams:
  calls: {{ endpoints: ["http://127.0.0.1:{port}"], protocol: h2c }}
  down: {{ endpoints: ["http://127.0.0.1:{unused_port()}"], protocol: h2c }}
middleware:
  keys: {{ api_key: {{ header: x-api-key, keys: {{ ada: "{key_hash('right')}" }} }} }}
  rate: {{ rate_limit: {{ rate: 1/h, burst: 1, key: client_ip }} }}
  small: {{ body_limit: 100B }}
routes:
  - {{ path: /test.Service/*, upstream: calls }}
  - {{ path: /down.Service/*, upstream: down }}
  - {{ path: /keys.Service/*, upstream: calls, middleware: [keys] }}
  - {{ path: /rate.Service/*, upstream: calls, middleware: [rate] }}
  - {{ path: /small.Service/Unary, upstream: calls, rewrite: {{ path: {PATH}Unary }}, middleware: [small] }}
  - {{ path: /small.Service/Upload, upstream: calls, rewrite: {{ path: {PATH}Upload }}, middleware: [small] }}
  - {{ path: /slow/Unary, upstream: calls, rewrite: {{ path: {PATH}Unary }}, timeouts: {{ response: 200ms }} }}
""")
        if secure:
            options = (("grpc.ssl_target_name_override", "api.example.com"),)
            channel = grpc.secure_channel(f"127.0.0.1:{running.port('secure')}", grpc.ssl_channel_credentials(CA.read_bytes()), options)
        else:
            channel = grpc.insecure_channel(f"127.0.0.1:{running.port()}")
        channels.append(channel)
        return running, channel, service

    yield make
    for channel in channels:
        channel.close()
    service.cancelled.set()
    server.stop(0).wait()


def fails(call, *arguments, **named) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        result = call(*arguments, timeout=named.pop("timeout", 10), **named)
        list(result)
    return caught.value


@pytest.mark.parametrize("secure", [False, True])
def test_calls_of_all_four_kinds(served, secure):
    running, channel, service = served(secure)
    answer, call = channel.unary_unary(PATH + "Unary").with_call(b"a", timeout=10, metadata=(("x-mine", "1"), ("x-mine-bin", b"\x00\xfe")))
    assert answer == b"unary a" and call.code() == Code.OK
    assert dict(call.initial_metadata())["x-first"] == "1"
    assert dict(call.trailing_metadata()) == {"x-last": "2", "x-data-bin": b"\x00\xff\x01"}
    assert service.metadata[0]["x-mine"] == "1" and service.metadata[0]["x-mine-bin"] == b"\x00\xfe"
    assert [len(one) for one in channel.unary_stream(PATH + "Download")(b"2000", timeout=10)] == [len(str(index)) * 100 for index in range(2000)]
    assert channel.stream_unary(PATH + "Upload")((b"u" * 1000 for _ in range(2000)), timeout=10) == b"2000000"
    assert list(channel.stream_stream(PATH + "Both")((b"%d" % index for index in range(200)), timeout=10)) == [b"both %d" % index for index in range(200)]
    assert channel.unary_unary(PATH + "Unary")(b"b" * 3_000_000, timeout=10) == b"unary " + b"b" * 3_000_000
    # One message at a time in each direction.
    said = queue.Queue()
    heard = channel.stream_stream(PATH + "Both")(iter(said.get, None), timeout=10)
    for index in range(20):
        said.put(b"%d" % index)
        assert next(heard) == b"both %d" % index
    said.put(None)
    assert list(heard) == [] and heard.code() == Code.OK
    assert channel.unary_stream(PATH + "Download")(b"0", timeout=10).code() == Code.OK


def test_status_and_details(served):
    _, channel, _ = served()
    error = fails(channel.unary_unary(PATH + "Unary"), b"fail")
    assert (error.code(), error.details()) == (Code.FAILED_PRECONDITION, "nope: \u00fc%")
    assert dict(error.trailing_metadata())["x-why"] == "so"
    assert fails(channel.unary_unary(PATH + "Nothing"), b"a").code() == Code.UNIMPLEMENTED
    heard = channel.stream_stream(PATH + "Both")(iter([b"a", b"fail", b"b"]), timeout=10)
    assert next(heard) == b"both a"
    with pytest.raises(grpc.RpcError) as caught:
        list(heard)
    assert (caught.value.code(), caught.value.details()) == (Code.DATA_LOSS, "in the middle")


def test_a_deadline_ends_the_call_of_the_service(served):
    _, channel, service = served()
    assert fails(channel.unary_unary(PATH + "Unary"), b"wait", timeout=0.3).code() == Code.DEADLINE_EXCEEDED
    assert service.cancelled.wait(5)


@pytest.mark.parametrize("method", ["Unary", "Endless"])
def test_a_cancelled_call_ends_that_of_the_service(served, method):
    _, channel, service = served()
    if method == "Unary":
        call = channel.unary_unary(PATH + "Unary").future(b"wait", timeout=10)
        eventually(lambda: service.metadata)
    else:
        call = channel.unary_stream(PATH + "Endless")(b"", timeout=10)
        for _ in range(100):
            next(call)
    assert not service.cancelled.is_set()
    call.cancel()
    assert service.cancelled.wait(5)
    assert channel.unary_unary(PATH + "Unary")(b"a", timeout=10) == b"unary a"


def test_errors_of_the_gateway_are_told_in_its_terms(served):
    running, channel, _ = served()
    assert fails(channel.unary_unary("/keys.Service/Unary"), b"a").code() == Code.UNAUTHENTICATED
    assert fails(channel.unary_unary("/keys.Service/Unary"), b"a", metadata=(("x-api-key", "right"),)).code() == Code.UNIMPLEMENTED
    assert fails(channel.unary_unary("/nobody.Service/Unary"), b"a").code() == Code.UNIMPLEMENTED
    down = fails(channel.unary_unary("/down.Service/Unary"), b"a")
    assert down.code() == Code.UNAVAILABLE and down.details()
    fails(channel.unary_unary("/rate.Service/Unary"), b"a")
    assert fails(channel.unary_unary("/rate.Service/Unary"), b"a").code() == Code.RESOURCE_EXHAUSTED
    assert fails(channel.unary_unary("/small.Service/Unary"), b"a" * 1000).code() == Code.RESOURCE_EXHAUSTED
    assert fails(channel.stream_unary("/small.Service/Upload"), iter([b"a" * 60] * 1000)).code() == Code.RESOURCE_EXHAUSTED
    assert fails(channel.unary_unary("/slow/Unary"), b"wait").code() == Code.DEADLINE_EXCEEDED
    # The log keeps what another client would have got.
    assert {200, 401, 404, 413, 429, 502, 504} <= {entry["status"] for entry in running.entries(9)}


def test_a_thousand_streams_at_once(served):
    _, channel, _ = served()
    said = [queue.Queue() for _ in range(1000)]
    heard = [channel.stream_stream(PATH + "Both")(iter(one.get, None), timeout=60) for one in said]
    for index, one in enumerate(said):
        one.put(b"%d" % index)
    assert all(next(one) == b"both %d" % index for index, one in enumerate(heard))
    for one in said:
        one.put(None)
    assert all(list(one) == [] for one in heard)


def test_a_silent_client_of_a_call_is_no_slow_upload(served):
    _, channel, _ = served(timeouts="{ body_idle: 200ms, rate_grace: 100ms }")
    said, may_end = queue.Queue(), threading.Event()
    heard = channel.stream_stream(PATH + "Both")(iter(said.get, None), timeout=10)
    said.put(b"a")
    assert next(heard) == b"both a"
    # Past both deadlines of an upload.
    may_end.wait(0.8)
    said.put(b"b")
    assert next(heard) == b"both b"
    said.put(None)
    assert list(heard) == [] and heard.code() == Code.OK


def test_a_drain_lets_calls_end(served):
    running, channel, _ = served()
    said = queue.Queue()
    heard = channel.stream_stream(PATH + "Both")(iter(said.get, None), timeout=10)
    said.put(b"a")
    assert next(heard) == b"both a"
    running.terminate()
    running.wait_log("drain")
    said.put(b"b")
    assert next(heard) == b"both b"
    said.put(None)
    assert list(heard) == [] and heard.code() == Code.OK
    assert running.wait() == 0
