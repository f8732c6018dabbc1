"""Fixtures: real services, and a gateway per test with its own configuration and folder.

A test may be `async def`: it runs in an event loop of its own. Nothing here listens on a fixed port, and only processes
that were started here are ended.
"""

import asyncio
import inspect
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support.gateway import Gateway
from support.http2 import H2Upstream
from support.raw import RawUpstream
from support.service import Service

TEST_SECONDS = 90


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def limited():
        async with asyncio.timeout(TEST_SECONDS):
            await pyfuncitem.obj(**arguments)

    asyncio.run(limited())
    return True


@pytest.fixture(scope="session")
def martlet() -> str:
    """The binary under test."""
    path = os.environ.get("MARTLET", str(Path(__file__).parents[2] / ".build/release/martlet"))
    assert os.access(path, os.X_OK), f"{path} is not there: `make build` makes it"
    return os.path.abspath(path)


@pytest.fixture(scope="session")
def aiohttp_service(tmp_path_factory):
    with Service("aiohttp_service.py", tmp_path_factory.mktemp("aiohttp")) as service:
        yield service


@pytest.fixture(scope="session")
def fastapi_service(tmp_path_factory):
    with Service("fastapi_service.py", tmp_path_factory.mktemp("fastapi")) as service:
        yield service


@pytest.fixture
def upstream():
    """Makes scripted upstreams: `upstream(script)`, where the script serves one connection."""
    made = []

    def make(script=None, **options) -> RawUpstream:
        made.append(RawUpstream(script, **options))
        return made[-1]

    yield make
    problems = [problem for one in made for problem in one.close()]
    assert not problems, f"the upstream got what is not strict HTTP/1.1, or its script failed: {problems}"


@pytest.fixture
def gateway(martlet, tmp_path):
    """Makes gateways: `gateway(yaml)`. At the end each must be alive, or ended by the test itself."""
    made = []

    def make(config: str, **options) -> Gateway:
        folder = tmp_path / f"gateway{len(made)}"
        folder.mkdir()
        made.append(Gateway(martlet, folder, config, **options))
        return made[-1].start()

    yield make
    problems = [problem for one in made for problem in one.close()]
    assert not problems, "\n".join(problems)


@pytest.fixture
def proxy(gateway):
    """The smallest useful gateway: everything to one upstream URL, JSON access log to a file."""
    def make(url: str, **options) -> Gateway:
        return gateway(f"listen: 127.0.0.1:0\nroutes:\n  - path: /*\n    upstream: {url}\n", **options)
    return make


@pytest.fixture
def h2_upstream():
    """Makes scripted upstreams that speak HTTP/2: `h2_upstream(script)`."""
    made = []

    def make(*arguments, **options) -> H2Upstream:
        made.append(H2Upstream(*arguments, **options))
        return made[-1]

    yield make
    problems = [problem for one in made for problem in one.close()]
    assert not problems, f"the upstream got what is not strict HTTP/2, or its script failed: {problems}"
