"""Hubble's messages: our .proto files with the public field numbers, and what protoc made of them.

The generated modules are kept in the repository, so that running the lab needs no compiler. They
come from grpcio-tools 1.60 (protobuf 4.25), whose output every protobuf runtime since then reads:

    python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. lab/hubble/api/*.proto
"""
