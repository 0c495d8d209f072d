"""One lab, one sandbox: namespaces, cgroup, run directory, and the processes that keep them.

    host      launch ──> keeper ──> pid1 ──┬─> supervisor     bringup (phases), control, faults
              handle, ending, listing      └─> fork_server ──> API server, agents (cluster)

`launch` starts a lab and holds it on a leash; `handle` finds a running one and enters its nodes
(`entry`); `ending` ends it. `rundir`, `cgroup` and `mounts` are what a lab has on, or instead of,
the host's file system. Kill any one of the processes, at any time: the others see to it that
nothing of the lab stays but its logs.
"""
