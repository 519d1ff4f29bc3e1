"""What a run is to do: list the archive, read what is said of it, cut the work into shards."""
