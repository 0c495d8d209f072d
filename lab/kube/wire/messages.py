"""The protobuf messages of our .proto files, as protoc compiled them.

The compiled forms are kept beside them, so that running the lab needs no compiler:

    python -m grpc_tools.protoc -I. --include_imports -oFILE.binpb FILE.proto
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessages


@cache
def messages(compiled: Path) -> dict[str, type[Message]]:
    """Every message of a file that no other message contains, by its full name."""
    return GetMessages(FileDescriptorSet.FromString(compiled.read_bytes()).file, DescriptorPool())
