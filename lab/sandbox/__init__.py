"""One lab, one sandbox: namespaces, cgroup, run directory, and the processes that keep them."""
