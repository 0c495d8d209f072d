"""The agent as a process: called in a fork that stands in its node's namespaces already."""

from __future__ import annotations

import asyncio
import logging
import signal

import httpx2
from lightkube import AsyncClient, KubeConfig
from lightkube.config.models import Cluster, User

from lab.agent import status, warm
from lab.agent.agent import Agent
from lab.agent.bgp.metrics import BgpMetrics
from lab.agent.collecting import FlowTables
from lab.agent.config import AgentConfig
from lab.agent.describe import describe
from lab.agent.flows.flow_log import FlowLog
from lab.agent.metrics import AgentMetrics
from lab.agent.pods.server import KubeletServer
from lab.agent.profile import Profile, profile
from lab.agent.programs import NodePrograms

log = logging.getLogger(__name__)

PREPARED = (warm.LAZY, warm.DECODERS)

API_TIMEOUT = 10.0
"""Seconds for one request; watches have no bound."""


def main(config: AgentConfig) -> int:
    """Run the node's agent until SIGTERM; returns the exit code. Pods and datapath stay."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname).1s %(name)s: %(message)s", force=True
    )
    # One line a request is too many: the client's library would log each.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    log.info("agent of %s begins", config.node)
    chosen = profile(config.profile, config.options)
    programs = NodePrograms(config, chosen)
    programs.load()
    log.info("datapath installed")
    bgp_metrics = BgpMetrics()
    flow_tables = FlowTables()
    flow_log = FlowLog(config, AgentMetrics(bgp_metrics, flow_tables))
    flow_log.start()
    try:
        asyncio.run(_serve(config, chosen, programs, flow_log, bgp_metrics, flow_tables))
    finally:
        flow_log.stop()
    return 0


async def _serve(
    config: AgentConfig,
    chosen: Profile,
    programs: NodePrograms,
    flow_log: FlowLog,
    bgp_metrics: BgpMetrics,
    flow_tables: FlowTables,
) -> None:
    agent = Agent(config, chosen, _client(config), programs, flow_log, bgp_metrics)
    await KubeletServer(agent.kubelet, config).start()
    await status.serve(lambda: describe(config, chosen, agent, flow_log))
    running = asyncio.gather(agent.run(), flow_tables.keep_collecting())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        log.info("asked to end; pods, maps and announcements stay")


def _client(config: AgentConfig) -> AsyncClient:
    cluster = Cluster(server=config.api_url, certificate_auth=str(config.ca_file))
    return AsyncClient(
        KubeConfig.from_one(cluster=cluster, user=User(token=config.token)).get(),
        timeout=httpx2.Timeout(API_TIMEOUT),
        trust_env=False,
    )
