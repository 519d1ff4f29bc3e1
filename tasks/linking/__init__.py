"""The link stage: from voice fingerprints to the speakers of an archive."""
