"""From a stranger's file to samples, and to chunks of them."""
