"""What the command assumes without flags: its configuration file, and `hubble config` over it.

A flag is stronger than the environment (HUBBLE_SERVER for `server`), the environment stronger than
the file, which lies where the public command keeps its own.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import yaml

from lab.errors import InputError
from lab.hubble.cli import times

DEFAULTS = {
    "server": "localhost:4245",
    "timeout": "5s",
    "request-timeout": "12s",
    "tls": "false",
    "tls-ca-cert-files": "",
    "tls-client-cert-file": "",
    "tls-client-key-file": "",
    "tls-server-name": "",
}
"""The keys there are, with what they are when nobody says anything."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions of `hubble config`."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, run, text in (
        ("view", view, "Print the configuration in use"),
        ("get", get, "Print one value of it"),
        ("set", put, "Write a value to the file; without one, its default"),
        ("reset", reset, "Take a key, or all of them, out of the file"),
    ):
        action = actions.add_parser(name, help=text, description=text)
        action.set_defaults(run=run)
        if name != "view":
            action.add_argument("key", nargs="?" if name == "reset" else None, metavar="KEY")
        if name == "set":
            action.add_argument("value", nargs="?", metavar="VALUE")


def setting(key: str) -> str:
    """The value of a key: of the environment, the file, or the default."""
    return os.environ.get(variable(key)) or _stored().get(key, DEFAULTS[key])


def described(key: str) -> str:
    """What holds without a flag, here and now, and where that comes from."""
    if os.environ.get(variable(key)):
        origin = f", from ${variable(key)}"
    else:
        origin = f", from {path()}" if key in _stored() else f"; ${variable(key)} changes it"
    return f"default: {setting(key)}{origin}"


def variable(key: str) -> str:
    """The environment variable of a key."""
    return f"HUBBLE_{key.replace('-', '_').upper()}"


def view(_options: argparse.Namespace) -> None:
    sys.stdout.write(yaml.safe_dump({key: setting(key) for key in sorted(DEFAULTS)}))


def get(options: argparse.Namespace) -> None:
    sys.stdout.write(f"{setting(_known(options.key))}\n")


def put(options: argparse.Namespace) -> None:
    key = _known(options.key)
    value = DEFAULTS[key] if options.value is None else options.value
    if key.endswith("timeout"):
        times.duration(value)
    if key == "tls" and value not in ("true", "false"):
        raise InputError(f"invalid value {value!r} of tls: want true or false")
    _store({**_stored(), key: value})


def reset(options: argparse.Namespace) -> None:
    key = options.key
    _store({} if key is None else {k: v for k, v in _stored().items() if k != _known(key)})


def path() -> Path:
    """Where the file is: $HUBBLE_CONFIG, or below the user's configuration directory."""
    named = os.environ.get("HUBBLE_CONFIG")
    base = os.environ.get("XDG_CONFIG_HOME")
    home = Path(base) if base else Path.home() / ".config"
    return Path(named) if named else home / "hubble" / "config.yaml"


def _known(key: str) -> str:
    if key not in DEFAULTS:
        raise InputError(f"unknown key {key!r}: want one of {', '.join(sorted(DEFAULTS))}")
    return key


def _stored() -> dict[str, str]:
    """What the file says, keys of newer commands left out; nothing when there is none."""
    try:
        content = yaml.safe_load(path().read_text()) or {}
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError) as exc:
        raise InputError(f"cannot read {path()}: {exc}") from exc
    if not isinstance(content, dict):
        raise InputError(f"cannot read {path()}: want keys with values")
    return {key: _text(value) for key, value in content.items() if key in DEFAULTS}


def _text(value: object) -> str:
    """A value as it would stand on the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _store(values: dict[str, str]) -> None:
    file = path()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(values) if values else "")
    except OSError as exc:
        raise InputError(f"cannot write {file}: {exc.strerror}") from exc
