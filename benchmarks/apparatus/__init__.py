"""What the benchmarks of the service share.

servers      the service and a bare echo, each in its own process on its own core
echo         the bare echo
load         h2load and what it measured
bridge       the MCP bridge, spoken to in lines
outcome      flags of the scripts, and how a result is shown
"""
