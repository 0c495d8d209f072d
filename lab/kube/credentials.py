"""The secrets of a lab's API server: certificate, key, bearer token, and the kubeconfig.

One elliptic-curve certificate is both the authority that clients trust and the server's own: a
lab has one server, lives minutes to days, and should not spend its start on RSA keys.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from lab.shell import run

CERTIFICATE_DAYS = 3650

_KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters:
- name: lab
  cluster:
    certificate-authority: {ca}
    server: {url}
contexts:
- name: lab
  context: {{cluster: lab, user: admin}}
current-context: lab
users:
- name: admin
  user:
    token: {token}
"""


@dataclass(frozen=True)
class Credentials:
    """Where the files are; `token` is its text, all others are paths."""

    url: str
    ca_file: Path
    key_file: Path
    kubeconfig: Path
    token: str


def credentials(directory: Path, address: str, port: int = 6443) -> Credentials:
    """Make (once) `ca.crt`, `server.key`, `token` and `kubeconfig` in a directory.

    A second call finds them and changes nothing, so a restarted server keeps its clients.
    """
    directory.mkdir(parents=True, exist_ok=True)
    ca_file, key_file = directory / "ca.crt", directory / "server.key"
    token_file, kubeconfig = directory / "token", directory / "kubeconfig"
    if not ca_file.exists():
        _make_certificate(ca_file, key_file, address)
    if not token_file.exists():
        _write_private(token_file, secrets.token_urlsafe(32))
    token = token_file.read_text().strip()
    url = f"https://{address}:{port}"
    if not kubeconfig.exists():
        _write_private(kubeconfig, _KUBECONFIG.format(ca=ca_file, url=url, token=token))
    return Credentials(url, ca_file, key_file, kubeconfig, token)


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _make_certificate(ca_file: Path, key_file: Path, address: str) -> None:
    names = f"IP:{address},IP:10.96.0.1,DNS:kubernetes,DNS:kubernetes.default.svc,DNS:localhost"
    fresh = ca_file.with_suffix(".new")
    # Python 3.13 verifies strictly: the authority needs keyCertSign and a critical CA mark.
    run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", str(key_file), "-out", str(fresh), "-days", str(CERTIFICATE_DAYS),
         "-subj", "/CN=kubernetes", "-addext", f"subjectAltName={names}",
         "-addext", "basicConstraints=critical,CA:TRUE",
         "-addext", "keyUsage=critical,keyCertSign,digitalSignature",
         "-addext", "extendedKeyUsage=serverAuth"],
    )  # fmt: skip
    key_file.chmod(0o600)
    # Last, and in one step: whoever finds the certificate finds its key beside it.
    fresh.rename(ca_file)
