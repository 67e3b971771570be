"""portgen's computed answers, judged by packets: a copy of a host in network namespaces, and all who may ask
it something."""
