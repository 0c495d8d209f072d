"""The filter box of the web page: its language, and what it cannot read."""

from __future__ import annotations

import pytest

from lab.errors import InputError
from lab.hubble.filters.message_view import MessageView
from lab.hubble.ui.filter_text import Choice
from lab.hubble.ui.viewer import predicate

from .page_given import flows

NAMES = ("probe", "answer", "overlay", "redirected", "dropped", "dns")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(), "probe answer overlay redirected dropped dns"),
        (Choice("default"), "probe answer overlay redirected dropped dns"),
        (Choice("kube-system"), "dns"),
        (Choice("elsewhere"), ""),
        (Choice(verdict="dropped"), "dropped"),
        (Choice(entries=("ip=10.0.3.103",)), "probe answer"),
        (Choice(entries=("10.0.3.103",)), "probe answer"),
        (Choice(entries=("from:ip=10.0.3.0/24",)), "probe answer dns"),
        (Choice(entries=("label k8s-app=kube-dns",)), "dns"),
        (Choice(entries=("k8s-app=kube-dns",)), "dns"),
        (Choice(entries=("to: label svc=web1-lb",)), "probe overlay redirected dropped"),
        (Choice(entries=("identity=6",)), "redirected"),
        (Choice(entries=("pod=coredns",)), "dns"),
        (Choice(entries=("from:pod=default/web1",)), "answer dns"),
        (Choice(entries=("web1",)), "probe answer overlay redirected dropped dns"),
        (Choice(entries=("workload=web1", "port=53")), "dns"),
        (Choice(entries=("identity=6", "identity=4711")), "redirected dns"),
        (Choice(entries=("tcp-flag=psh",)), "answer"),
        (Choice(entries=("protocol=udp",)), "dns"),
        (Choice(entries=("!protocol=udp", "! label reserved:world")), "probe answer redirected"),
        (Choice("default", "forwarded", ("identity=host", "!tcp-flag=SYN")), "answer"),
        (Choice(entries=("dns=*.example",)), ""),
    ],
)
def test_filter_box(choice: Choice, expected: str) -> None:
    passes = predicate(choice)
    views = [MessageView(flow) for flow in flows()]
    found = [name for name, view in zip(NAMES, views, strict=True) if passes(view)]
    assert " ".join(found) == expected


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(entries=("ip=1.2.3.400",)), "invalid IP address or CIDR '1.2.3.400'"),
        (Choice(entries=("",)), "cannot read the filter ''"),
        (Choice(entries=("identity=somebody",)), "invalid security identity 'somebody'"),
        (Choice(entries=("tcp-flag=X",)), "unknown TCP flag 'X'"),
        (Choice(verdict="maybe"), "unknown verdict 'maybe'"),
    ],
)
def test_what_the_filter_box_cannot_read(choice: Choice, words: str) -> None:
    with pytest.raises(InputError, match=words):
        predicate(choice)
