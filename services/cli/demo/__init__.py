"""A made-up fleet of customers: its history through the import, then its life through HTTP and Kafka."""
