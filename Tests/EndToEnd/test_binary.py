"""The binary itself."""

import platform
import re
import shutil
import subprocess

import pytest

COUNTED = re.compile(r"(?:call|jmp)\s+[0-9a-f]+ <(swift_(?:release|retain|bridgeObjectRelease|bridgeObjectRetain)_n)>")


def unset_operands(function: str, body: list[tuple[str, str]]) -> list[str]:
    """Calls that count references of %rdi although nothing was put there since the call before, which does not keep it."""
    targets = {found[1] for _, text in body if (found := re.match(r"j\w+\s+([0-9a-f]+) ", text))}
    found, is_set = [], True
    for address, text in body:
        if address in targets:
            is_set = True
        counted = COUNTED.match(text)
        if counted and not is_set:
            found.append(f"{function} at {address}: {counted[1]}")
        if text.startswith("call"):
            is_set = False
        elif re.match(r"(jmp|ret|ud2)", text) or (re.search(r"%[re]di$", text) and not re.match(r"(cmp|test|push)", text)):
            is_set = True
    return found


@pytest.mark.skipif(platform.machine() != "x86_64", reason="reads x86-64 code")
@pytest.mark.skipif(shutil.which("objdump") is None, reason="needs binutils")
def test_no_release_of_a_register_that_nobody_set(martlet):
    """The compiler may merge the releases of a value that it has optimised away: they then hit any object, or none."""
    listing = subprocess.Popen(["objdump", "-d", "--no-show-raw-insn", martlet], stdout=subprocess.PIPE, text=True)
    function, body, found, functions = "", [], [], 0
    for line in listing.stdout:
        if head := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            if any("_n>" in text for _, text in body):
                found += unset_operands(function, body)
            function, body, functions = head[1], [], functions + 1
        elif code := re.match(r"\s+([0-9a-f]+):\s+(.*?)\s*(?:#.*)?$", line):
            body.append((code[1], code[2]))
    assert listing.wait() == 0
    assert functions > 1_000, "there is something to look at"
    assert not found
