"""Keys as the configuration wants them."""

import hashlib


def key_hash(key: str) -> str:
    """What `api_key` compares with."""
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()
