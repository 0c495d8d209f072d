"""The control plane is down: what still works."""

from __future__ import annotations

from lab.faults.nodes import api_server_kill
from lab.scenario import observe, web
from lab.scenario.bounds import API_ANSWER
from lab.scenario.load.loaded import loaded
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import other_than

scenario = Scenario("Without the API server traffic goes on", manifests=(web.MANIFEST,))


@scenario.step("Killed under load")
def killed(stage: Stage) -> None:
    """The API server's process gets SIGKILL while the clients open connections all the time.
    Maps, routes and pods are where they were: nobody needs the API server for a packet."""
    web.is_answered(stage)
    with loaded(stage.lab, web.ADDRESS, kept=3) as load:
        with stage.fault(api_server_kill()) as moment:
            asked = stage.show(stage.control, "kubectl get svc", timeout=60)
            stage.holds("kubectl gets no answer", asked.code, other_than(0))
            load.until_steady()
            for client in ("client1", "client2", "client3"):
                web.is_answered(stage, client)
            web.is_announced_by_all_still(stage)
        load.until_steady()
        cost = load.cost(moment)
    stage.say(f"The load: {cost}.")
    look = "the nodes' agent.log: what an agent does that hears nothing from the API server"
    stage.holds("no new connection failed", cost.failed, 0, look=look)
    stage.holds("no open connection broke", cost.broken, 0, look=look)


@scenario.step("Back, with everything it knew")
def back(stage: Stage) -> None:
    """The API server's state is on disk. The agents were waiting for it and take up their
    watches again."""
    stage.becomes(
        "kubectl is answered",
        lambda: stage.probe(stage.control, "kubectl get svc").code,
        0,
        within=API_ANSWER,
    )
    stage.show(stage.control, "kubectl get svc")
    service = observe.services(stage)[web.SERVICE]
    stage.holds("the service has its address", service.external, (web.ADDRESS,))


@scenario.step("And it governs again")
def governs(stage: Stage) -> None:
    """A change made now reaches every node."""
    web.scale(stage, 2)
    wanted = sorted(f"{pod.address}:80" for pod in web.pods(stage))
    stage.becomes(
        "every node balances over two pods",
        lambda: observe.backends(stage, f"{web.ADDRESS}:80"),
        {node.name: wanted for node in stage.plan.kube_nodes},
        within=API_ANSWER,
    )
