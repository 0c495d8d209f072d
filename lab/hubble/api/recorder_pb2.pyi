from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Protocol(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROTOCOL_ANY: _ClassVar[Protocol]
    PROTOCOL_TCP: _ClassVar[Protocol]
    PROTOCOL_UDP: _ClassVar[Protocol]
    PROTOCOL_SCTP: _ClassVar[Protocol]
PROTOCOL_ANY: Protocol
PROTOCOL_TCP: Protocol
PROTOCOL_UDP: Protocol
PROTOCOL_SCTP: Protocol

class RecordRequest(_message.Message):
    __slots__ = ("start", "stop")
    START_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    start: StartRecording
    stop: StopRecording
    def __init__(self, start: _Optional[_Union[StartRecording, _Mapping]] = ..., stop: _Optional[_Union[StopRecording, _Mapping]] = ...) -> None: ...

class StartRecording(_message.Message):
    __slots__ = ("filesink", "include", "max_capture_length", "stop_condition")
    FILESINK_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_FIELD_NUMBER: _ClassVar[int]
    MAX_CAPTURE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    STOP_CONDITION_FIELD_NUMBER: _ClassVar[int]
    filesink: FileSinkConfiguration
    include: _containers.RepeatedCompositeFieldContainer[Filter]
    max_capture_length: int
    stop_condition: StopCondition
    def __init__(self, filesink: _Optional[_Union[FileSinkConfiguration, _Mapping]] = ..., include: _Optional[_Iterable[_Union[Filter, _Mapping]]] = ..., max_capture_length: _Optional[int] = ..., stop_condition: _Optional[_Union[StopCondition, _Mapping]] = ...) -> None: ...

class StopCondition(_message.Message):
    __slots__ = ("bytes_captured_count", "packets_captured_count", "time_elapsed")
    BYTES_CAPTURED_COUNT_FIELD_NUMBER: _ClassVar[int]
    PACKETS_CAPTURED_COUNT_FIELD_NUMBER: _ClassVar[int]
    TIME_ELAPSED_FIELD_NUMBER: _ClassVar[int]
    bytes_captured_count: int
    packets_captured_count: int
    time_elapsed: _duration_pb2.Duration
    def __init__(self, bytes_captured_count: _Optional[int] = ..., packets_captured_count: _Optional[int] = ..., time_elapsed: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class FileSinkConfiguration(_message.Message):
    __slots__ = ("file_prefix",)
    FILE_PREFIX_FIELD_NUMBER: _ClassVar[int]
    file_prefix: str
    def __init__(self, file_prefix: _Optional[str] = ...) -> None: ...

class Filter(_message.Message):
    __slots__ = ("source_cidr", "source_port", "destination_cidr", "destination_port", "protocol")
    SOURCE_CIDR_FIELD_NUMBER: _ClassVar[int]
    SOURCE_PORT_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_CIDR_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_PORT_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    source_cidr: str
    source_port: int
    destination_cidr: str
    destination_port: int
    protocol: Protocol
    def __init__(self, source_cidr: _Optional[str] = ..., source_port: _Optional[int] = ..., destination_cidr: _Optional[str] = ..., destination_port: _Optional[int] = ..., protocol: _Optional[_Union[Protocol, str]] = ...) -> None: ...

class StopRecording(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RecordResponse(_message.Message):
    __slots__ = ("node_name", "time", "running", "stopped")
    NODE_NAME_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    node_name: str
    time: _timestamp_pb2.Timestamp
    running: RecordingRunningResponse
    stopped: RecordingStoppedResponse
    def __init__(self, node_name: _Optional[str] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., running: _Optional[_Union[RecordingRunningResponse, _Mapping]] = ..., stopped: _Optional[_Union[RecordingStoppedResponse, _Mapping]] = ...) -> None: ...

class RecordingStatistics(_message.Message):
    __slots__ = ("bytes_captured", "packets_captured", "packets_lost", "bytes_lost")
    BYTES_CAPTURED_FIELD_NUMBER: _ClassVar[int]
    PACKETS_CAPTURED_FIELD_NUMBER: _ClassVar[int]
    PACKETS_LOST_FIELD_NUMBER: _ClassVar[int]
    BYTES_LOST_FIELD_NUMBER: _ClassVar[int]
    bytes_captured: int
    packets_captured: int
    packets_lost: int
    bytes_lost: int
    def __init__(self, bytes_captured: _Optional[int] = ..., packets_captured: _Optional[int] = ..., packets_lost: _Optional[int] = ..., bytes_lost: _Optional[int] = ...) -> None: ...

class RecordingRunningResponse(_message.Message):
    __slots__ = ("stats",)
    STATS_FIELD_NUMBER: _ClassVar[int]
    stats: RecordingStatistics
    def __init__(self, stats: _Optional[_Union[RecordingStatistics, _Mapping]] = ...) -> None: ...

class RecordingStoppedResponse(_message.Message):
    __slots__ = ("stats", "filesink")
    STATS_FIELD_NUMBER: _ClassVar[int]
    FILESINK_FIELD_NUMBER: _ClassVar[int]
    stats: RecordingStatistics
    filesink: FileSinkResult
    def __init__(self, stats: _Optional[_Union[RecordingStatistics, _Mapping]] = ..., filesink: _Optional[_Union[FileSinkResult, _Mapping]] = ...) -> None: ...

class FileSinkResult(_message.Message):
    __slots__ = ("file_path",)
    FILE_PATH_FIELD_NUMBER: _ClassVar[int]
    file_path: str
    def __init__(self, file_path: _Optional[str] = ...) -> None: ...
