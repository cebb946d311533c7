"""Real Apache Kafka and PostgreSQL from Python wheels, on loopback, as ordinary processes under one data folder."""
