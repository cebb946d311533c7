"""First figures from the machine it runs on: the whole chain, how late it is, and what could be had at best."""
