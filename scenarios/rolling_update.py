"""All pods are replaced under load, one after the other."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.bounds import POD_READY
from lab.scenario.load.loaded import loaded
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_least

scenario = Scenario(
    "New pods for old, without a lost connection",
    profile="modern",
    manifests=("rolling_update.yaml",),
)


@scenario.step("Three pods under a steady load")
def three(stage: Stage) -> None:
    """The clients open fifty connections a second."""
    stage.becomes("the service has 3 ready pods", lambda: len(web.pods(stage)), 3, within=POD_READY)
    web.is_answered(stage)
    with loaded(stage.lab, web.ADDRESS) as load:
        moment = stage.now()
        load.until_steady(50)
        stage.holds("none of them fails", load.cost(moment).failed, 0)


@scenario.step("Replaced under load")
def replaced(stage: Stage) -> None:
    """A pod that has to go gets no new connections from the moment that the nodes hear of it, and
    those it has may end in peace (graceful termination). nginx stops listening as soon as it is
    told to, before every node has heard: hence the second of preStop sleep in the manifest."""
    before = {pod.name for pod in web.pods(stage)}
    with loaded(stage.lab, web.ADDRESS) as load:
        moment = stage.now()
        stage.show(stage.control, "kubectl rollout restart deployment web1")
        done = stage.show(stage.control, "kubectl rollout status deployment web1", timeout=60)
        stage.holds("the rollout succeeds", done.code, 0)
        stage.becomes(
            "all old pods are gone",
            lambda: len(before & {pod.name for pod in observe.pods(stage, web.SELECTOR)}),
            0,
            within=POD_READY,
        )
        load.until_steady(50)
        cost = load.cost(moment)
    stage.say(f"The load: {cost}.")
    stage.holds("new connections went on", cost.attempted, at_least(50))
    conditions = "`kubectl get endpointslices -o yaml`: the conditions of a pod that has to go"
    stage.holds("none of them failed", cost.failed, 0, look=conditions)


@scenario.step("More pods, a node drained, fewer pods")
def moved(stage: Stage) -> None:
    """What else moves pods under the same load: three more, a node that is emptied (its pods are
    evicted, and the Deployment makes others elsewhere), and three less."""
    with loaded(stage.lab, web.ADDRESS) as load:
        moment = stage.now()
        web.scale(stage, 6)
        node = next(iter(web.pods(stage))).node
        drained = stage.show(stage.control, f"kubectl drain {node} --timeout=60s", timeout=60)
        stage.holds("the node is drained", drained.code, 0)
        web.scale(stage, 6)
        stage.show(stage.control, f"kubectl uncordon {node}")
        web.scale(stage, 3)
        load.until_steady(50)
        cost = load.cost(moment)
    stage.say(f"The load: {cost}.")
    stage.holds("new connections went on", cost.attempted, at_least(50))
    conditions = "`kubectl get endpointslices -o yaml`: the conditions of a pod that has to go"
    stage.holds("none of them failed", cost.failed, 0, look=conditions)
