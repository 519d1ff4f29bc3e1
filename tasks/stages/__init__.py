"""From chunks to facts: the stages that run engines, a shard at a time."""
