"""`hubble record`: packets of a node's events into a pcap file on that node."""

from __future__ import annotations

import argparse
import queue
import signal
import sys
from collections.abc import Iterator

from lab.errors import InputError
from lab.hubble.api import recorder_pb2
from lab.hubble.cli import connection, times
from lab.hubble.cli.terminal import safe
from lab.hubble.service import table as services

_PROTOCOLS = {
    "ANY": recorder_pb2.PROTOCOL_ANY,
    "TCP": recorder_pb2.PROTOCOL_TCP,
    "UDP": recorder_pb2.PROTOCOL_UDP,
    "SCTP": recorder_pb2.PROTOCOL_SCTP,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = 'example: hubble record "192.168.1.0/24 0 10.0.0.0/16 80 TCP"'
    parser.add_argument(
        "filters", nargs="+", metavar="FILTER", help='"source port destination port protocol"'
    )
    parser.add_argument("--file-prefix", default="hubble", metavar="NAME")
    parser.add_argument("--max-capture-len", type=int, default=0, metavar="BYTES")
    parser.add_argument("--packet-limit", type=int, default=0, metavar="N")
    parser.add_argument("--bytes-limit", type=int, default=0, metavar="N")
    parser.add_argument("--time-limit", default="", metavar="DURATION")


def run(options: argparse.Namespace) -> None:
    """Record until a limit is reached or the user interrupts."""
    first = recorder_pb2.RecordRequest(start=start(options))
    requests: queue.SimpleQueue[recorder_pb2.RecordRequest] = queue.SimpleQueue()
    requests.put(first)
    stop = recorder_pb2.RecordRequest(stop=recorder_pb2.StopRecording())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: requests.put(stop))
    with connection.connect(options, times.duration(options.timeout) / 10**9) as channel:
        record = services.call(channel, services.RECORDER, "Record")
        sys.stderr.write("Started recording. Press CTRL+C to stop.\n")
        for response in record(_requests(requests)):
            sys.stdout.writelines(f"{line}\n" for line in lines(response))
            sys.stdout.flush()
    # The stream ends when every node has stopped: behind a relay there are several.


def start(options: argparse.Namespace) -> recorder_pb2.StartRecording:
    """The recording that the options ask for; InputError when one is invalid."""
    message = recorder_pb2.StartRecording(
        include=[packet_filter(text) for text in options.filters],
        max_capture_length=options.max_capture_len,
    )
    message.filesink.file_prefix = options.file_prefix
    message.stop_condition.packets_captured_count = options.packet_limit
    message.stop_condition.bytes_captured_count = options.bytes_limit
    if options.time_limit:
        message.stop_condition.time_elapsed.FromNanoseconds(times.duration(options.time_limit))
    return message


def packet_filter(text: str) -> recorder_pb2.Filter:
    """ "source port destination port protocol"; port 0 and protocol ANY match all."""
    words = text.split()
    ports = [word for word in words[1:4:2] if word.isdecimal() and int(word) < 1 << 16]
    if len(words) != 5 or len(ports) != 2:
        raise InputError(f'invalid filter {text!r}: want "CIDR port CIDR port protocol"')
    protocol = _PROTOCOLS.get(words[4].upper())
    if protocol is None:
        raise InputError(f"unknown protocol {words[4]!r}: want {', '.join(_PROTOCOLS)}")
    return recorder_pb2.Filter(
        source_cidr=words[0],
        source_port=int(words[1]),
        destination_cidr=words[2],
        destination_port=int(words[3]),
        protocol=protocol,
    )


def lines(response: recorder_pb2.RecordResponse) -> Iterator[str]:
    """What a report of a node says."""
    at = f"{times.write(response.time.ToNanoseconds(), 'RFC3339')} [{safe(response.node_name)}]"
    if response.HasField("running"):
        yield f"{at} Status: {_written(response.running.stats)}"
    elif response.HasField("stopped"):
        yield f"{at} Result: {_written(response.stopped.stats)}"
        yield f"{at} Output: {safe(response.stopped.filesink.file_path)}"


def _written(stats: recorder_pb2.RecordingStatistics) -> str:
    return f"{stats.packets_captured} packets ({stats.bytes_captured} bytes) written"


def _requests(
    requests: queue.SimpleQueue[recorder_pb2.RecordRequest],
) -> Iterator[recorder_pb2.RecordRequest]:
    while True:
        request = requests.get()
        yield request
        if request.HasField("stop"):
            return
