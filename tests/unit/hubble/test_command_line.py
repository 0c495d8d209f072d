"""The command's flags: the request they become, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from lab import shell
from lab.errors import InputError
from lab.hubble.api import observer_pb2
from lab.hubble.cli import completion, connection, main, observe, settings
from lab.hubble.cli.filter_flags import FlowFilters

NOW = 1_700_000_000 * 10**9


def request(*words: str) -> observer_pb2.GetFlowsRequest:
    options = main.parser().parse_args(["observe", *words])
    filters = options.filters or FlowFilters()
    filters.finish()
    return observe.flows_request(options, filters, now=NOW)


def allowed(*words: str) -> list[dict[str, object]]:
    return [
        MessageToDict(each, preserving_proto_field_name=True) for each in request(*words).whitelist
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-n", "default"], [{"source_pod": ["default/"]}, {"destination_pod": ["default/"]}]),
        (["--from-namespace", "a"], [{"source_pod": ["a/"]}]),
        (["--to-namespace", "a"], [{"destination_pod": ["a/"]}]),
        (["-A"], [{"source_pod": ["/"]}, {"destination_pod": ["/"]}]),
        (["--pod", "w"], [{"source_pod": ["w"]}, {"destination_pod": ["w"]}]),
        (
            ["--to-namespace", "a", "--to-namespace", "b", "--to-service", "s"],
            [{"destination_service": ["a/s", "b/s"]}],
        ),
        (
            ["--ip", "10.0.0.1", "--port", "80", "--verdict", "DROPPED"],
            [
                {"source_ip": ["10.0.0.1"], "source_port": ["80"], "verdict": ["DROPPED"]},
                {
                    "destination_ip": ["10.0.0.1"],
                    "destination_port": ["80"],
                    "verdict": ["DROPPED"],
                },
            ],
        ),
        (["--from-ip", "a", "--from-ip", "b"], [{"source_ip": ["a", "b"]}]),
        (["--to-identity", "host"], [{"destination_identity": [1]}]),
        (["--from-identity", "4711"], [{"source_identity": [4711]}]),
        (
            ["--workload", "Deployment/web1"],
            [
                {"source_workload": [{"name": "web1", "kind": "Deployment"}]},
                {"destination_workload": [{"name": "web1", "kind": "Deployment"}]},
            ],
        ),
        (
            ["-t", "trace:to-overlay"],
            [{"event_type": [{"type": 4, "match_sub_type": True, "sub_type": 4}]}],
        ),
        (["--type", "drop", "-t", "5"], [{"event_type": [{"type": 1}, {"type": 5}]}]),
        (["--tcp-flags", "syn,ACK"], [{"tcp_flags": [{"SYN": True, "ACK": True}]}]),
        (["-4"], [{"ip_version": ["IPv4"]}]),
        (["--ip-version", "v6"], [{"ip_version": ["IPv6"]}]),
        (["--unencrypted"], [{"encrypted": [False]}]),
        (["--interface", "eth0"], [{"interface": [{"name": "eth0"}]}]),
        (["--traffic-direction", "egress"], [{"traffic_direction": ["EGRESS"]}]),
        (["--http-header", "a:b:c"], [{"http_header": [{"key": "a", "value": "b:c"}]}]),
        (["--cel-expression", "x"], [{"experimental": {"cel_expression": ["x"]}}]),
        (["--snat-ip", "10.0.4.105"], [{"source_ip_xlated": ["10.0.4.105"]}]),
        (["--allowlist", '{"reply":[true]} {"uuid":["u"]}'], [{"reply": [True]}, {"uuid": ["u"]}]),
    ],
    ids=lambda value: " ".join(value) if value and isinstance(value[0], str) else "",
)
def test_flags_become_filters(words: list[str], expected: list[dict[str, object]]) -> None:
    assert allowed(*words) == expected


def test_not_is_about_the_next_flag_only() -> None:
    asked = request("--not", "--verdict", "DROPPED", "--protocol", "tcp", "--not", "-l", "a=b")
    assert [MessageToDict(each) for each in asked.whitelist] == [{"protocol": ["tcp"]}]
    assert [MessageToDict(each) for each in asked.blacklist] == [
        {"verdict": ["DROPPED"], "sourceLabel": ["a=b"]},
        {"verdict": ["DROPPED"], "destinationLabel": ["a=b"]},
    ]


@pytest.mark.parametrize(
    ("words", "number", "first", "follow"),
    [
        ([], 20, False, False),
        (["--last", "5"], 5, False, False),
        (["--first", "7"], 7, True, False),
        (["--follow"], 0, False, True),
        (["-f", "--last", "3"], 3, False, True),
        (["--all"], 2**64 - 1, False, False),
        (["--since", "5m"], 0, False, False),
    ],
)
def test_selectors(words: list[str], number: int, first: bool, follow: bool) -> None:
    asked = request(*words)
    assert (asked.number, asked.first, asked.follow) == (number, first, follow)


def test_times() -> None:
    asked = request("--since", "1h30m", "--until", "2023-11-14T22:13:20.5+01:00")
    assert asked.since.ToNanoseconds() == NOW - 5400 * 10**9
    assert asked.until.ToJsonString() == "2023-11-14T21:13:20.500Z"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--first", "1", "--last", "1"], "--first and --last exclude each other"),
        (["--first", "1", "--follow"], "--first and --follow exclude each other"),
        (["--all", "--last", "1"], "--all already means every flow"),
        (["--pod", "a", "--from-pod", "b", "--ip", "1"], "--pod and --from-pod cannot be combined"),
        (["--port", "1", "--to-port", "2"], "--port and --to-port cannot be combined"),
        (["--not", "--not", "--ip", "1"], "two --not in a row"),
        (["--ip", "1.1.1.1", "--not"], "--not at the end"),
        (["--verdict", "MAYBE"], "invalid --verdict value 'MAYBE'"),
        (["--type", "noise"], "invalid --type 'noise'"),
        (["--type", "trace:nowhere"], "invalid subtype 'nowhere'"),
        (["--tcp-flags", "SYN,FOO"], "unknown TCP flag 'FOO'"),
        (["--identity", "nobody"], "invalid security identity 'nobody'"),
        (["--since", "yesterday"], "invalid time 'yesterday'"),
        (["--allowlist", "{"], "invalid --allowlist"),
        (["--denylist", '{"no_such":1}'], "invalid --denylist"),
        (["--to-namespace", "a", "--to-pod", "b/c"], "namespace conflict"),
    ],
)
def test_mistakes_are_named(words: list[str], message: str) -> None:
    with pytest.raises(InputError) as error:
        request(*words)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "words",
    [
        ["observe", "--verdict", "NOPE"],
        ["observe", "--no-such-flag"],
        ["observe", "--input-file", "/no/such/file"],
        ["observe", "--ip", "nonsense", "--input-file", "/dev/null"],
        ["status", "--server", "localhost:1", "--timeout", "0.1s"],
        ["nothing"],
    ],
)
def test_all_that_goes_wrong_has_the_public_commands_exit_code(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(words) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_help_tells_what_holds_here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HUBBLE_CONFIG", str(tmp_path / "100%.yaml"))
    monkeypatch.setenv("HUBBLE_TIMEOUT", "30s")
    (tmp_path / "100%.yaml").write_text("request-timeout: 7s\n")
    with pytest.raises(SystemExit):
        main.main(["status", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "for connecting (default: 30s, from $HUBBLE_TIMEOUT)" in text
    assert "(default: 7s, from " in text
    assert "(default: localhost:4245; $HUBBLE_SERVER changes it)" in text


def test_every_flag_of_the_public_command_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main.main(["observe", "--help"])
    text = capsys.readouterr().out
    assert end.value.code == 0
    flags = (
        "all first follow last since until all-namespaces cel-expression cluster drop-reason-desc"
        " fqdn from-all-namespaces from-cluster from-fqdn from-identity from-ip from-label"
        " from-namespace from-pod from-port from-service from-workload http-header http-method"
        " http-path http-status http-url identity interface ip ip-version ipv4 ipv6 label namespace"
        " node-label node-name not pod port protocol service snat-ip tcp-flags to-all-namespaces"
        " to-cluster to-fqdn to-identity to-ip to-label to-namespace to-pod to-port to-service"
        " to-workload trace-id traffic-direction type uuid verdict workload encrypted unencrypted"
        " allowlist denylist output print-node-name time-format color ip-translation numeric"
        " server timeout request-timeout tls tls-ca-cert-files tls-client-cert-file"
        " tls-client-key-file tls-server-name input-file experimental-field-mask"
        " experimental-use-default-field-masks print-raw-filters"
    )
    assert [
        flag
        for flag in flags.split()
        if f"--{flag} " not in f"{text} ".replace("\n", " ").replace(",", " ")
    ] == []


def test_unreachable_server_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["observe", "--server", "unix:///nowhere/hubble.sock", "--timeout", "50ms"]
    assert main.main(words) == 1
    assert "no Hubble server answers at unix:///nowhere/hubble.sock" in capsys.readouterr().err


def test_what_a_relay_does_not_serve_is_explained() -> None:
    class Refused(grpc.RpcError):  # type: ignore[misc]
        def code(self) -> grpc.StatusCode:
            return grpc.StatusCode.UNIMPLEMENTED

        def details(self) -> str:
            return "Method not found!"

    assert "ask a node's agent" in str(connection.explained(Refused(), "localhost:4245"))


def test_raw_filters_are_printed_and_can_be_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["observe", "--print-raw-filters", "--to-port", "80", "--not", "--ipv6"]) == 0
    assert capsys.readouterr().out == (
        'allowlist:\n    - \'{"destination_port":["80"]}\'\n'
        'denylist:\n    - \'{"ip_version":["IPv6"]}\'\n'
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["observe", "--namepsace", "a"], "unknown flag: --namepsace; did you mean --namespace?"),
        (["observe", "--last", "x"], "argument --last: 'x' is no number of flows"),
        (["observe", "flows", "more"], "unknown argument: more"),
        (["obsrve"], "invalid choice: 'obsrve'"),
        (["observe", "-o", "yaml"], "invalid choice: 'yaml'"),
        (["list"], "the following arguments are required"),
    ],
)
def test_a_mistake_is_a_line_or_two(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(words) == 1
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 2
    assert "--help" in told


def test_flags_of_the_server_may_stand_before_and_after_the_command() -> None:
    before = main.parser().command(["--server", "here:1", "-D", "status"])
    after = main.parser().command(["status", "--server", "here:1", "-D"])
    assert (before.server, before.debug) == (after.server, after.debug) == ("here:1", True)
    assert main.parser().command(["status"]).server == settings.DEFAULTS["server"]


@pytest.mark.parametrize(("word", "output"), [("JSON", "json"), ("tab", "table")])
def test_other_words_for_outputs(word: str, output: str) -> None:
    assert main.parser().command(["observe", "-o", word]).output == output


def test_the_configuration_file_is_weaker_than_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HUBBLE_CONFIG", str(tmp_path / "deep" / "config.yaml"))
    assert main.main(["config", "set", "server", "there:2"]) == 0
    assert main.main(["config", "set", "tls", "true"]) == 0
    options = main.parser().command(["status"])
    assert (options.server, options.tls) == ("there:2", True)
    monkeypatch.setenv("HUBBLE_SERVER", "elsewhere:3")
    assert main.parser().command(["status"]).server == "elsewhere:3"
    assert main.main(["config", "get", "server"]) == 0
    assert main.main(["config", "reset", "tls"]) == 0
    assert main.main(["config", "view"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("elsewhere:3\nrequest-timeout: 12s\n")
    assert "tls: 'false'\n" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["set", "sever", "x"], "unknown key 'sever'"),
        (["set", "timeout", "soon"], "invalid duration 'soon'"),
        (["set", "tls", "maybe"], "want true or false"),
    ],
)
def test_what_the_configuration_refuses(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HUBBLE_CONFIG", str(tmp_path / "config.yaml"))
    assert main.main(["config", *words]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("hubble obs", "observe"),
        ("hubble observe --from-po", "--from-pod --from-port"),
        ("hubble list n", "nodes node namespaces namespace"),
        ("hubble -D observe --tcp", "--tcp-flags"),
    ],
)
def test_bash_completes_commands_and_flags(typed: str, offered: str) -> None:
    words = typed.split()
    script = f"""{completion.bash(main.parser())}
    COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _hubble; echo "${{COMPREPLY[*]}}"
    """
    assert shell.run(["bash", "-c", script]).out.strip() == offered
